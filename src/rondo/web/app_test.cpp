// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/app.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pthread.h>

#include <thread>

#include <rondo/coro/when_all.hpp>
#include <rondo/web/test_client.hpp>

namespace {

struct month {
    int number;
};

}  // namespace

template <>
struct rondo::path_converter<month> {
    static constexpr std::string_view name = "month";
    static std::optional<month> parse(std::string_view text) {
        const auto number = convert<int>(text);
        return number && *number >= 1 && *number <= 12 ? std::optional(month{*number}) : std::nullopt;
    }
};

namespace rondo {
namespace {

using ::testing::HasSubstr;

std::string thread_name() {
    char name[32] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    return name;
}

task<response> hello(request&) { co_return text("Hello, World!"); }
response sync_name(request&) { return text(thread_name()); }
task<response> async_name(request&) { co_return text(thread_name()); }
task<std::string> as_string(request&, int n) { co_return std::to_string(n * 2); }
const char* as_literal(request&) { return "literal"; }
response join(request&, std::int64_t a, std::string_view b, std::string c, double d, month m, unsigned u) {
    return text(std::to_string(a) + '|' + std::string(b) + '|' + c + '|' + std::to_string(d) + '|' +
                std::to_string(m.number) + '|' + std::to_string(u));
}
response by_name(request& req, std::string_view) {
    return text(req.arg("x").value_or("-")).field("X-No", std::string(req.arg("y").value_or("-")));
}

TEST(App, calls_an_async_view) {
    app a;
    a.get("/", hello);
    test_client client(a);
    const auto r = client.get("/");
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body, "Hello, World!");
    EXPECT_EQ(r.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(r.length, 13U);
}

TEST(App, the_signature_determines_where_a_view_runs) {
    app a;
    a.get("/async", async_name);
    a.get("/sync", sync_name);
    a.get("/cpu", cpu(sync_name));
    test_client client(a);
    EXPECT_EQ(client.get("/async").body, thread_name());
    EXPECT_THAT(client.get("/sync").body, HasSubstr("blocking"));
    EXPECT_THAT(client.get("/cpu").body, HasSubstr("compute"));
    const auto routes = a.routes();
    EXPECT_EQ(routes[0].kind, view_kind::async);
    EXPECT_EQ(routes[1].kind, view_kind::sync);
    EXPECT_EQ(routes[2].kind, view_kind::cpu);
    EXPECT_EQ(to_string(routes[2].kind), "cpu");
}

TEST(App, converts_path_parameters) {
    app a;
    a.get("/j/<int:a>/<slug:b>/<c>/<float:d>/<month:m>/<uint:u>", join);
    a.get("/twice/<int:n>", as_string);
    a.get("/name/<x>", by_name);
    test_client client(a);
    EXPECT_EQ(client.get("/j/-3/b-c/d%2Fe/1.5/12/7").body, "-3|b-c|d/e|1.500000|12|7");
    EXPECT_EQ(client.get("/j/-3/b-c/d%2Fe/1.5/13/7").status, 404);
    EXPECT_EQ(client.get("/twice/21").body, "42");
    EXPECT_EQ(client.get("/twice/99999999999").status, 404);  // matches <int:...>, but exceeds int
    const auto r = client.get("/name/z");
    EXPECT_EQ(r.body, "z");
    EXPECT_EQ(r.field("X-No"), "-");
}

struct counter {
    response show(request&) { return text(std::to_string(++count)); }
    task<response> add(request&, int n) const { co_return text(std::to_string(count + n)); }
    int count = 0;
};

TEST(App, accepts_views_of_every_shape) {
    counter c;
    const std::string greeting = "a greeting that does not fit into a small string";
    app a;
    a.get("/show", &c, &counter::show);
    a.get("/add/<int:n>", bind(&c, &counter::add));
    a.get("/cpu", cpu(bind(&c, &counter::show)));
    a.get("/literal", as_literal);
    a.get("/lambda", [](request&) { return std::string("lambda"); });
    a.get("/noexcept", [](request&) noexcept -> response { return text("n"); });
    a.get("/captured", [greeting](request&) -> task<response> {
        co_await sleep(clock::duration::zero());
        co_return text(greeting);
    });
    test_client client(a);
    EXPECT_EQ(client.get("/show").body, "1");
    EXPECT_EQ(client.get("/add/5").body, "6");
    EXPECT_EQ(client.get("/cpu").body, "2");
    EXPECT_EQ(client.get("/literal").body, "literal");
    EXPECT_EQ(client.get("/lambda").body, "lambda");
    EXPECT_EQ(client.get("/noexcept").body, "n");
    EXPECT_EQ(client.get("/captured").body, greeting);
}

TEST(App, rejects_unknown_paths_and_methods) {
    app a;
    a.get("/x", hello);
    a.post("/x", hello);
    a.any("/any", [](request& req) { return text(req.method_text()); });
    test_client client(a);
    EXPECT_EQ(client.get("/y").status, 404);
    const auto r = client.send({.method = "DELETE", .target = "/x"});
    EXPECT_EQ(r.status, 405);
    EXPECT_EQ(r.field("Allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(client.send({.method = "PURGE", .target = "/x"}).status, 405);
    EXPECT_EQ(client.send({.method = "PURGE", .target = "/any"}).body, "PURGE");
    EXPECT_EQ(client.send({.method = "TRACE", .target = "/any"}).status, 405);
    EXPECT_EQ(client.send({.method = "CONNECT", .target = "example.com:443"}).status, 501);
}

TEST(App, handles_head_and_options_automatically) {
    app a;
    a.get("/x", hello);
    a.route({http::method::options}, "/own", [](request&) { return text("own"); });
    test_client client(a);
    const auto head = client.send({.method = "HEAD", .target = "/x"});
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.length, 13U);
    EXPECT_EQ(head.body, "");
    const auto options = client.send({.method = "OPTIONS", .target = "/x"});
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.field("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(client.send({.method = "OPTIONS", .target = "/own"}).body, "own");
    EXPECT_EQ(client.send({.method = "OPTIONS", .target = "/none"}).status, 404);
    EXPECT_EQ(client.send({.method = "OPTIONS", .target = "*"}).status, 204);
}

TEST(App, redirects_a_trailing_slash) {
    app a;
    a.get("/a", hello);
    a.get("/b/<int:n>/", [](request&, int) { return text("b"); });
    a.post("/c", hello);
    test_client client(a);
    EXPECT_EQ(client.get("/a/?x=%20y").status, 307);
    EXPECT_EQ(client.get("/a/?x=%20y").field("Location"), "/a?x=%20y");
    EXPECT_EQ(client.get("/b/7").field("Location"), "/b/7/");
    EXPECT_EQ(client.send({.method = "HEAD", .target = "/b/7"}).status, 307);
    EXPECT_EQ(client.get("/c/").status, 404);
    EXPECT_EQ(client.send({.method = "POST", .target = "/c/"}).status, 404);
    EXPECT_EQ(client.get("//a/").status, 404);
}

TEST(App, encodes_the_target_in_location) {
    app a;
    a.get("/<name>/", [](request&, std::string_view) { return text("x"); });
    test_client client(a);
    EXPECT_EQ(client.get("/caf\xc3\xa9|^`{}\"<\\>?q={\xff}%").field("Location"),
              "/caf%C3%A9%7C%5E%60%7B%7D%22%3C%5C%3E/?q=%7B%FF%7D%");
    EXPECT_EQ(client.get("/\\evil.example").field("Location"), "/%5Cevil.example/");
}

TEST(App, sends_no_content_where_it_is_forbidden) {
    app a;
    a.get("/<int:code>", [](request&, int code) { return text("body").status(code); });
    a.get("/status", [](request&) { return rondo::status(205); });
    test_client client(a);
    for (const char* path : {"/204", "/205", "/304", "/status"}) EXPECT_EQ(client.get(path).body, "") << path;
    EXPECT_EQ(client.get("/203").body, "body");
}

TEST(App, never_redirects_to_another_site) {
    app a;
    a.get("/<path:rest>", [](request&, std::string_view) { return text("all"); });
    a.get("/x/<y>/", [](request&, std::string_view) { return text("y"); });
    test_client client(a);
    EXPECT_EQ(client.get("//evil.example/").status, 200);
    app b;
    b.get("/<x>/<y>", [](request&, std::string_view, std::string_view) { return text("xy"); });
    test_client other(b);
    EXPECT_EQ(other.get("//evil.example/").status, 404);
}

TEST(App, mounts_applications) {
    app inner;
    inner.get("/leaf/<int:n>", [](request& req, int) { return text(req.route()); });
    app api;
    api.get("/", hello);
    api.mount("/deep", std::move(inner));
    app a;
    a.mount("/api", std::move(api));
    test_client client(a);
    EXPECT_EQ(client.get("/api/").body, "Hello, World!");
    EXPECT_EQ(client.get("/api").field("Location"), "/api/");
    EXPECT_EQ(client.get("/api/deep/leaf/3").body, "/api/deep/leaf/<int:n>");
    EXPECT_EQ(client.get("/leaf/3").status, 404);
    EXPECT_EQ(a.routes()[1].pattern, "/api/deep/leaf/<int:n>");
    EXPECT_EQ(a.routes()[1].methods, "GET, HEAD");
}

TEST(App, duplicate_routes_fail_the_startup) {
    app sub;
    sub.get("/x/<int:b>", [](request&, int) { return text("b"); });
    app a;
    a.get("/s/x/<int:a>", [](request&, int) { return text("a"); });
    a.mount("/s", std::move(sub));
    std::string message;
    try {
        a.check();
    } catch (const std::invalid_argument& e) {
        message = e.what();
    }
    EXPECT_THAT(message, AllOf(HasSubstr("'/s/x/<int:a>'"), HasSubstr("'/s/x/<int:b>'"), HasSubstr("app_test.cpp")));
    EXPECT_THROW(test_client client(a), std::invalid_argument);
}

TEST(App, rejects_changes_while_running) {
    app a;
    a.get("/", hello);
    test_client client(a);
    EXPECT_THROW(a.get("/late", hello), std::logic_error);
    EXPECT_THROW(a.use([](request& req, next next) -> task<response> { return next(req); }), std::logic_error);
    EXPECT_THROW(a.on_start([] {}), std::logic_error);
    EXPECT_THROW(a.mount("/x", app()), std::logic_error);
}

TEST(App, hooks_run_in_order_on_loop_or_pool) {
    std::vector<std::string> log;
    app sub;
    sub.on_start([&] { log.emplace_back("sub start"); });
    sub.on_stop([&] { log.emplace_back("sub stop"); });
    app a;
    a.on_start([&]() -> task<void> {
        co_await sleep(clock::duration::zero());
        log.emplace_back("async start");
    });
    a.on_start([&, on = std::this_thread::get_id()]() mutable {
        log.emplace_back(on == std::this_thread::get_id() ? "on the loop" : "on the pool");
    });
    a.on_stop([&] { log.emplace_back("first stop"); });
    a.on_stop([&] { log.emplace_back("second stop"); });
    a.mount("/sub", std::move(sub));
    {
        test_client client(a);
        EXPECT_EQ(log, (std::vector<std::string>{"async start", "on the pool", "sub start"}));
        log.clear();
    }
    EXPECT_EQ(log, (std::vector<std::string>{"sub stop", "second stop", "first stop"}));
}

TEST(App, a_failing_start_hook_fails_the_startup) {
    app a;
    a.on_start([] { throw std::runtime_error("no database"); });
    EXPECT_THROW(test_client client(a), std::runtime_error);
}

TEST(App, every_view_kind_reads_bodies) {
    app a;
    a.post("/async", [](request& req) -> task<response> { co_return text(co_await req.read_all()); });
    a.post("/sync", [](request& req) { return text(req.read_all_sync()); });
    a.post("/cpu", cpu([](request& req) { return text(req.read_all_sync()); }));
    a.post("/stream", [](request& req) -> task<response> {
        std::size_t pieces = 0;
        while (!(co_await req.read()).empty()) ++pieces;
        co_return text(std::to_string(pieces));
    });
    a.post("/large", [](request& req) { return text(std::to_string(req.read_all_sync().size())); }).body_limit(3 << 20);
    a.post("/small", [](request& req) -> task<response> { co_return text(co_await req.read_all(4)); });
    a.post("/unread", hello);
    test_client client(a);
    const std::string body(300'000, 'b');
    for (const std::size_t piece : {std::size_t{0}, std::size_t{1000}}) {
        for (const char* path : {"/async", "/sync", "/cpu"}) {
            EXPECT_EQ(client.send({.method = "POST", .target = path, .body = body, .chunk_size = piece}).body, body)
                << path;
        }
    }
    EXPECT_EQ(client.send({.method = "POST", .target = "/stream", .body = body, .chunk_size = 100'000}).body, "3");
    const std::string large(2 << 20, 'l');
    EXPECT_EQ(client.post("/sync", large).status, 413);
    EXPECT_EQ(client.post("/async", large).status, 413);
    EXPECT_EQ(client.post("/large", large).body, "2097152");
    EXPECT_EQ(client.send({.method = "POST", .target = "/large", .body = large, .chunk_size = 65536}).body, "2097152");
    EXPECT_EQ(client.post("/small", "1234").status, 200);
    EXPECT_EQ(client.post("/small", "12345").status, 413);
    EXPECT_EQ(client.post("/unread", large).status, 200);
}

TEST(App, handles_many_concurrent_requests) {
    app a;
    a.get("/wait", [](request&) -> task<response> {
        co_await sleep(std::chrono::milliseconds(20));
        co_return text("waited");
    });
    test_client client(a);
    const auto send_all = [](test_client& c) -> task<int> {
        std::vector<task<test_response>> waiting;
        for (int i = 0; i < 1000; ++i) waiting.push_back(c.async_get("/wait"));
        int succeeded = 0;
        for (const auto& r : co_await when_all(std::move(waiting))) succeeded += r.body == "waited";
        co_return succeeded;
    };
    const auto before = clock::now();
    EXPECT_EQ(client.run(send_all(client)), 1000);
    EXPECT_LT(clock::now() - before, std::chrono::seconds(10));
}

}  // namespace
}  // namespace rondo
