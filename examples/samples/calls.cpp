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

std::string own_url(request& req, std::string_view path) {
    return "http://" + std::string(req.host()) + std::string(path);
}

// [sample get]
rondo::client http;  // one for the whole application; each event loop has its own connections

task<response> relay(request& req) {
    const rondo::client_response r = co_await http.get(own_url(req, "/waits"));
    co_return rondo::text(std::to_string(r.code()) + " " + r.body());
}

response relay_sync(request& req) {  // a sync view: blocks its thread, not the loop
    return rondo::text(http.get_sync(own_url(req, "/waits")).body());
}
// [end]

// [sample request]
task<response> post_order(request& req) {
    auto order = rondo::client_request("POST", own_url(req, "/count"))
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
task<response> handle_errors(request& req) {
    rondo::client_failure failure{};
    try {
        const rondo::client_response r = co_await http.get("http://127.0.0.1:1/");
        co_return rondo::text(r.body());
    } catch (const rondo::client_error& e) {  // what() names the method, the URL and the reason
        failure = e.kind();
    }
    if (failure == rondo::client_failure::timeout) co_return rondo::status(504);
    co_return rondo::text("no response (" + std::string(to_string(failure)) + ") for " + std::string(req.path()) +
                          "\n");
}
// [end]

// [sample streaming]
rondo::async_generator<std::string> lines() {
    for (int i = 0; i < 3; ++i) co_yield "line " + std::to_string(i) + "\n";
}

task<response> count(request& req) {
    // The body is sent as it is generated; the response is read as it arrives.
    auto upload = rondo::client_request("POST", own_url(req, "/count")).body(lines(), "text/plain");
    rondo::client_response r = co_await http.open(std::move(upload));
    std::size_t size = 0;
    for (std::string_view chunk = co_await r.read(); !chunk.empty(); chunk = co_await r.read()) size += chunk.size();
    co_return rondo::text(std::to_string(size) + "\n");
}
// [end]

// [sample together]
task<response> call_both(request& req) {
    // Both calls run concurrently; the total time is that of the slower one.
    auto [a, b] = co_await rondo::when_all(http.get(own_url(req, "/waits")), http.get(own_url(req, "/computes")));
    co_return rondo::text(a.body() + b.body());
}

task<rondo::client_response> get_after(rondo::clock::duration delay, std::string url) {
    co_await rondo::sleep(delay);
    co_return co_await http.get(std::move(url));
}

task<response> hedged(request& req) {
    // A second call starts when the first takes longer than usual; the first response cancels the other call.
    auto first = co_await rondo::when_any(http.get(own_url(req, "/waits")), get_after(20ms, own_url(req, "/waits")));
    co_return rondo::text(std::visit([](auto& r) { return std::move(r).body(); }, first));
}
// [end]

// [sample middleware]
rondo::client guarded({
    .middleware = {[] { return std::make_unique<rondo::circuit_breaker>(); },
                   [] { return std::make_unique<rondo::concurrency_limit>(50); }},
});

rondo::client behind_a_proxy({.proxies = rondo::client_proxies::from_environment(
                                  std::getenv)});  // the library itself does not read the environment
// [end]

task<response> break_circuit(request&) {
    std::string error;
    for (int i = 0; i < 6; ++i) {
        try {
            (void)co_await guarded.get("http://127.0.0.1:1/");
        } catch (const rondo::client_error& e) {
            error = to_string(e.kind());
        }
    }
    co_return rondo::text(error + "\n");
}

task<response> proxied(request& req) {
    const rondo::client_response r = co_await behind_a_proxy.get(own_url(req, "/waits"));
    co_return rondo::text(r.body());
}

}  // namespace

rondo::app calls() {
    rondo::app app;
    app.get("/relay", relay);
    app.get("/relay-sync", relay_sync);
    app.get("/order", post_order);
    app.get("/errors", handle_errors);
    app.get("/count", count);
    app.get("/together", call_both);
    app.get("/hedged", hedged);
    app.get("/circuit-breaker", break_circuit);
    app.get("/proxied", proxied);
    return app;
}
