// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_app.hpp>

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/stats/worker_stats.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo::admin {
namespace {

/// Records the commands.
class fake_backend final : public admin_backend {
public:
    [[nodiscard]] std::vector<worker_source> workers() override { return worker_sources; }
    [[nodiscard]] std::vector<compute_source> compute_processes() override { return {}; }
    [[nodiscard]] std::string reload() override { return record("reload"); }
    [[nodiscard]] std::string drain() override { return record("drain"); }
    [[nodiscard]] std::string scale(std::size_t n) override { return record("scale to " + std::to_string(n)); }

    std::vector<worker_source> worker_sources;
    std::vector<std::string> commands;
    std::string rejection;

private:
    std::string record(std::string command) {
        commands.push_back(std::move(command));
        return rejection;
    }
};

class AdminApp : public ::testing::Test {
protected:
    AdminApp() {
        stats_->on_worker_start(7);
        stats_->state = stats::worker_state::serving;
        backend_.worker_sources.push_back({.name = "0", .counters = &*stats_, .alive = true, .pid = 7});
        client_.emplace(app_);
    }
    test_response get(const std::string& path, const std::string& host = "127.0.0.1:9000") {
        return client_->get(path, {{"Host", host}});
    }
    test_response post(const std::string& path, test_fields fields = {}) {
        fields.emplace_back("Host", "127.0.0.1:9000");
        return client_->post(path, "", std::move(fields));
    }

    stats::worker_stats_memory stats_;
    fake_backend backend_;
    admin_app admin_app_{backend_};
    app app_ = admin_app_.make_app();
    std::optional<test_client> client_;
};

TEST_F(AdminApp, is_ready_while_a_worker_serves) {
    EXPECT_EQ(get("/healthz").status, 200);
    EXPECT_EQ(get("/readyz").status, 200);
    stats_->state = stats::worker_state::draining;
    EXPECT_EQ(get("/readyz").status, 503);
    EXPECT_EQ(get("/healthz").status, 200);
    stats_->state = stats::worker_state::starting;
    EXPECT_EQ(get("/readyz").body, "0 serving, 0 blocked, 1 starting, 0 draining\n");
    backend_.worker_sources.clear();
    EXPECT_EQ(get("/readyz").status, 503);
}

TEST_F(AdminApp, serves_stats) {
    stats_->requests = 42;
    const test_response metrics = get("/metrics");
    EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(metrics.body.find("rondo_requests_received_total 42\n"), std::string::npos);
    EXPECT_NE(get("/status.json").body.find("\"requests\":42"), std::string::npos);
    EXPECT_EQ(get("/requests").body, "{\"running\":[],\"not_listed\":0}");
}

TEST_F(AdminApp, serves_the_dashboard_with_a_strict_content_security_policy) {
    for (const char* path : {"/", "/page.js", "/page.css", "/icon.svg"}) {
        const test_response r = get(path);
        EXPECT_EQ(r.status, 200) << path;
        EXPECT_FALSE(r.body.empty()) << path;
        EXPECT_TRUE(r.field("Content-Security-Policy").starts_with("default-src 'none'; script-src 'self'"));
        EXPECT_EQ(r.field("Cache-Control"), "no-store");
    }
    EXPECT_NE(get("/").body.find("<script src=\"page.js\""), std::string::npos);
}

TEST_F(AdminApp, accepts_addresses_and_localhost_as_host_only) {
    for (const char* host : {"127.0.0.1", "localhost", "localhost:9000", "[::1]:9000", "10.1.2.3:80"})
        EXPECT_EQ(get("/metrics", host).status, 200) << host;
    for (const char* host : {"evil.example", "evil.example:9000", "localhost.evil.example", "127.0.0.1.evil.example:1"})
        EXPECT_EQ(get("/metrics", host).status, 421) << host;
    const test_response by_socket =
        client_->send({.target = "/metrics", .fields = {{"Host", "whatever.example"}}, .peer = "unix"});
    EXPECT_EQ(by_socket.status, 200);
}

TEST_F(AdminApp, accepts_commands_by_same_origin_post) {
    EXPECT_EQ(get("/reload").status, 405);
    EXPECT_EQ(post("/reload").status, 202);
    EXPECT_EQ(post("/drain", {{"Origin", "http://127.0.0.1:9000"}, {"Sec-Fetch-Site", "same-origin"}}).status, 202);
    EXPECT_EQ(post("/scale?workers=3").status, 202);
    EXPECT_EQ(backend_.commands, (std::vector<std::string>{"reload", "drain", "scale to 3"}));
}

TEST_F(AdminApp, refuses_cross_origin_commands) {
    EXPECT_EQ(post("/reload", {{"Origin", "http://evil.example"}}).status, 403);
    EXPECT_EQ(post("/reload", {{"Origin", "null"}}).status, 403);
    EXPECT_EQ(post("/reload", {{"Origin", "http://127.0.0.1:8000"}}).status, 403);
    EXPECT_EQ(post("/drain", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
    EXPECT_EQ(post("/drain", {{"Sec-Fetch-Site", "same-site"}}).status, 403);
    EXPECT_TRUE(backend_.commands.empty());
}

TEST_F(AdminApp, rejects_invalid_commands) {
    for (const char* target : {"/scale", "/scale?workers=", "/scale?workers=0", "/scale?workers=x",
                               "/scale?workers=100000", "/scale?workers=-1"})
        EXPECT_EQ(post(target).status, 400) << target;
    backend_.rejection = "no arbiter";
    const test_response r = post("/reload");
    EXPECT_EQ(r.status, 409);
    EXPECT_EQ(r.body, "no arbiter\n");
}

std::string error_of(const char* address, bool allowed = false) {
    try {
        require_local_address(net::bind_address::parse(address), allowed);
        return {};
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

TEST(AdminAddress, must_be_local_unless_allowed) {
    for (const char* address : {"127.0.0.1:9000", "127.1.2.3:1", "[::1]:9000", "localhost:0", "unix:/run/x.sock"})
        EXPECT_EQ(error_of(address), "") << address;
    for (const char* address :
         {"0.0.0.0:9000", ":9000", "*:9000", "192.168.1.5:9000", "[::]:9000", "example.org:9000"}) {
        EXPECT_NE(error_of(address).find("127.0.0.1:PORT"), std::string::npos) << address;
        EXPECT_EQ(error_of(address, true), "") << address;
    }
}

}  // namespace
}  // namespace rondo::admin
