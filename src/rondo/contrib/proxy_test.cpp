// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/proxy.hpp>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

/// A server that responds with the target of the request, on one connection per request.
class upstream {
public:
    upstream() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(listener_.value(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        EXPECT_EQ(::listen(listener_.value(), 16), 0);
        EXPECT_EQ(::getsockname(listener_.value(), reinterpret_cast<sockaddr*>(&at), &size), 0);
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
        thread_ = std::thread([this] { serve(); });
    }
    ~upstream() {
        ::shutdown(listener_.value(), SHUT_RDWR);
        thread_.join();
    }
    upstream(const upstream&) = delete;
    upstream& operator=(const upstream&) = delete;

    [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
    void serve() const {
        for (;;) {
            const unique_fd client(::accept4(listener_.value(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!client) return;
            std::string head;
            while (!head.ends_with("\r\n\r\n")) {
                char byte = 0;
                if (::recv(client.value(), &byte, 1, 0) != 1) break;
                head += byte;
            }
            const std::size_t target = head.find(' ') + 1;
            const std::string body = "upstream " + head.substr(target, head.find(' ', target) - target);
            const std::string reply =
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body;
            (void)::send(client.value(), reply.data(), reply.size(), MSG_NOSIGNAL);
        }
    }

    unique_fd listener_;
    std::string url_;
    std::thread thread_;
};

std::optional<response> require_key(request& req) {
    if (req.field("X-Key") == "open") return std::nullopt;
    return text("a key is missing").status(401);
}

TEST(Proxy, strips_a_prefix_at_a_segment_boundary) {
    const upstream up;
    for (const char* prefix : {"/api", "/api/"}) {
        app a;
        a.any("/<path:rest>", proxy(up.url() + "/base", {.strip_prefix = prefix}));
        test_client client(a);
        for (const auto& [sent, forwarded] : {std::pair{"/api/x", "/x"},
                                              {"/api", "/"},
                                              {"/api/", "/"},
                                              {"/api?a=/api", "/?a=/api"},
                                              {"/apifoo", "/apifoo"},
                                              {"/api.x/y", "/api.x/y"},
                                              {"/apifoo/api/x", "/apifoo/api/x"},
                                              {"/%61pi/x", "/x"},
                                              {"/api%2Fx", "/api%2Fx"},
                                              {"/API/x", "/API/x"},
                                              {"/api//x", "//x"},
                                              {"http://a/api/x?y", "/x?y"}}) {
            EXPECT_EQ(client.get(sent, {{"Host", "a"}}).body, "upstream /base" + std::string(forwarded)) << sent;
        }
    }
}

TEST(Proxy, an_oversized_request_head_is_a_client_error) {
    const upstream up;
    app a;
    a.any("/<path:rest>", proxy(up.url()));
    test_client client(a);
    EXPECT_EQ(client.get("/x", {{"X-Large", std::string(70'000, 'x')}}).status, 431);
    EXPECT_EQ(client.get("/x").status, 200);
}

TEST(Proxy, a_guarded_mount_cannot_be_bypassed) {
    const upstream up;
    app a;
    app admin;
    admin.use([](request& req, next next) -> task<response> {
        if (auto refusal = require_key(req)) co_return std::move(*refusal);
        co_return co_await next(req);
    });
    admin.any("/<path:rest>", proxy(up.url()));
    a.mount("/admin", std::move(admin));
    a.any("/<path:rest>", proxy(up.url()));
    test_client client(a);
    EXPECT_EQ(client.get("/admin/y").status, 401);
    EXPECT_EQ(client.get("/admin/y", {{"X-Key", "open"}}).body, "upstream /admin/y");
    EXPECT_EQ(client.get("/administrator").body, "upstream /administrator");
    for (const char* path :
         {"/x/../admin/y",    "/x/%2e%2e/admin/y", "/./admin/y",      "/%2e/admin/y",      "/admin%2Fy",
          "//admin/y",        "///admin/y",        "/x/..%2fadmin/y", "/x%2f..%2fadmin/y", "/x/..%5cadmin/y",
          "/x\\..\\admin\\y", "/admin\\y",         "/admin%5Cy",      "/x/..;/admin/y",    "/admin;a=b/y",
          "/x//../admin/y",   "/%2fadmin/y",       "/.//admin/y",     "/x/.%2E/admin/y",   "/;/admin/y",
          "/;x=1/admin/y",    "/;a=/admin/y",      "/%3b/admin/y",    "/;%2f;/admin/y",    "/.;/admin/y",
          "/;../admin/y",     "/%2e;x/admin/y",    "/;x%2fadmin/y",   "/x/;/..;/admin/y",  "/admin;%2fx/y"}) {
        const test_response result = client.get(path);
        EXPECT_TRUE(result.status >= 400 && result.status < 500) << path << ' ' << result.status;
        EXPECT_EQ(result.body.find("upstream"), std::string::npos) << path;
    }
}

TEST(Proxy, a_stripped_prefix_does_not_bypass_a_guarded_path) {
    const upstream up;
    app a;
    a.any("/api/private/<path:rest>", [](request&, std::string_view) { return status(403); });
    a.any("/api/<path:rest>", proxy(up.url(), {.strip_prefix = "/api"}));
    test_client client(a);
    EXPECT_EQ(client.get("/api/private/x").status, 403);
    EXPECT_EQ(client.get("/api/public;v=1/x").body, "upstream /public;v=1/x");
    for (const char* path : {"/api/;/private/x", "/api/%3b/private/x", "/api/;x=1/private/x", "/api//private/x",
                             "/api/private;/x", "/api/;%2fprivate/x"})
        EXPECT_EQ(client.get(path).status, 400) << path;
}

// The view checks the path itself, whatever its route matches.
TEST(Proxy, does_not_forward_dot_segments) {
    const upstream up;
    const proxy to(up.url());
    app a;
    a.get("/", [&to](request& req) { return to(req, {}); });
    a.on_error(404, [&to](request& req, const failure&) { return to(req, {}); });
    test_client client(a);
    EXPECT_EQ(client.get("/?../..").body, "upstream /?../..");
    EXPECT_EQ(client.get("/a/b").body, "upstream /a/b");
    for (const char* path : {"/a/..", "/..%2fa", "/%2e%2e", "/a%5c..", "/a/..;b"}) {
        const test_response result = client.get(path);
        EXPECT_EQ(result.body.find("upstream"), std::string::npos) << path;
        EXPECT_GE(result.status, 400) << path;
    }
}

}  // namespace
}  // namespace rondo
