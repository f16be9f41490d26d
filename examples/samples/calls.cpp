// SPDX-License-Identifier: Apache-2.0
#include "calls.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/client.hpp>
#include <rondo/client/middleware.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>

using namespace std::chrono_literals;
using rondo::request;
using rondo::response;
using rondo::task;

namespace {

std::string self(request& req, std::string_view path) {
    return "http://" + std::string(req.host()) + std::string(path);
}

// [sample get]
rondo::client http;  // one for the whole application: each loop has connections of its own in it

task<response> relay(request& req) {
    const rondo::client_response r = co_await http.get(self(req, "/waits"));
    co_return rondo::text(std::to_string(r.code()) + " " + r.body());
}

response relay_sync(request& req) {  // a sync view: its thread waits, no loop does
    return rondo::text(http.get_sync(self(req, "/waits")).body());
}
// [end]

// [sample request]
task<response> ask(request& req) {
    auto order = rondo::client_request("POST", self(req, "/count"))
                     .field("Accept", "text/plain")
                     .bearer("a-token")
                     .body("apples", "text/plain")
                     .timeouts({.connect = 2s, .total = 5s})
                     .max_body(64 * 1024);
    const rondo::client_response r = co_await http.send(std::move(order));
    co_return rondo::text(r.body());
}
// [end]

// [sample errors]
task<response> careful(request& req) {
    rondo::client_failure why{};
    try {
        const rondo::client_response r = co_await http.get("http://127.0.0.1:1/");
        co_return rondo::text(r.body());
    } catch (const rondo::client_error& e) {  // what() names the method, the URL and the reason
        why = e.kind();
    }
    if (why == rondo::client_failure::time_out) co_return rondo::status(504);
    co_return rondo::text("no answer (" + std::string(to_string(why)) + ") for " + std::string(req.path()) + "\n");
}
// [end]

// [sample streaming]
rondo::async_generator<std::string> lines() {
    for (int i = 0; i < 3; ++i) co_yield "line " + std::to_string(i) + "\n";
}

task<response> count(request& req) {
    // The body is sent while it is made; the response is read while it comes.
    auto upload = rondo::client_request("POST", self(req, "/count")).body(lines(), "text/plain");
    rondo::client_response r = co_await http.open(std::move(upload));
    std::size_t size = 0;
    for (std::string_view piece = co_await r.read(); !piece.empty(); piece = co_await r.read()) size += piece.size();
    co_return rondo::text(std::to_string(size) + "\n");
}
// [end]

// [sample together]
task<response> fastest_and_all(request& req) {
    // Both at once: as long as the slower.
    auto [a, b] = co_await rondo::when_all(http.get(self(req, "/waits")), http.get(self(req, "/computes")));
    co_return rondo::text(a.body() + b.body());
}

task<rondo::client_response> later(rondo::clock::duration after, std::string url) {
    co_await rondo::sleep(after);
    co_return co_await http.get(std::move(url));
}

task<response> hedged(request& req) {
    // A second call when the first takes longer than usual; whichever answers first cancels the other.
    auto first = co_await rondo::when_any(http.get(self(req, "/waits")), later(20ms, self(req, "/waits")));
    co_return rondo::text(std::visit([](auto& r) { return std::move(r).body(); }, first));
}
// [end]

// [sample around]
rondo::client guarded({
    .middleware = {[] { return std::make_unique<rondo::circuit_breaker>(); },
                   [] { return std::make_unique<rondo::concurrency_limit>(50); }},
});

rondo::client behind_a_proxy(
    {.proxies = rondo::client_proxies::from(std::getenv)});  // the program reads, not the library
// [end]

task<response> spared(request&) {
    std::string said;
    for (int i = 0; i < 6; ++i) {
        try {
            (void)co_await guarded.get("http://127.0.0.1:1/");
        } catch (const rondo::client_error& e) {
            said = to_string(e.kind());
        }
    }
    co_return rondo::text(said + "\n");
}

task<response> proxied(request& req) {
    const rondo::client_response r = co_await behind_a_proxy.get(self(req, "/waits"));
    co_return rondo::text(r.body());
}

}  // namespace

rondo::app calls() {
    rondo::app app;
    app.get("/relay", relay);
    app.get("/relay-sync", relay_sync);
    app.get("/ask", ask);
    app.get("/careful", careful);
    app.get("/count", count);
    app.get("/together", fastest_and_all);
    app.get("/hedged", hedged);
    app.get("/spared", spared);
    app.get("/proxied", proxied);
    return app;
}
