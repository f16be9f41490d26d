// SPDX-License-Identifier: Apache-2.0
#include "calls.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/client.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/proxy.hpp>
#include <rondo/web.hpp>

namespace testbed {
namespace {

using namespace std::chrono_literals;
using rondo::client_request;
using rondo::client_response;
using rondo::request;
using rondo::response;
using rondo::task;

constexpr std::uint64_t largest_upload = 8U << 20;

rondo::client_options patience_of_tests() {
    rondo::client_options options;
    options.timeouts = {.connect = 1s, .read = 1500ms, .total = 4s};
    options.max_body = 4U << 20;
    return options;
}

rondo::client& http() {
    static rondo::client one(patience_of_tests());
    return one;
}

std::string upstream() {
    const char* url = std::getenv("TESTBED_UPSTREAM");
    return url == nullptr ? "" : url;
}

// The request that came, for the upstream: its method and query, the names that the test gave it, a body of `sent`
// bytes.
client_request passed_on(request& req, std::string_view rest) {
    std::string url = upstream();
    url.append("/").append(rest);
    if (!req.raw_query().empty()) url.append("?").append(req.raw_query());
    client_request to(req.method_text(), std::move(url));
    to.field("X-Asked", req.field("X-Asked").value_or("none"));
    return to;
}

std::size_t size_of_upload(request& req) { return req.query_as<std::size_t>("sent", 0); }

// The name of the request that the upstream says it answers goes along.
response told(const client_response& r, std::size_t size) {
    response out = rondo::text(std::to_string(r.code()) + " " + std::to_string(size) + "\n");
    if (const auto name = r.field("X-Answers")) out.field("X-Answers", *name);
    return out;
}

// A failure of the upstream is an answer: 502, as of a proxy.
response failed(const rondo::client_error& e) { return rondo::text(std::string(e.what()) + "\n").status(502); }

task<response> call(request& req, std::string_view rest) {
    client_request to = passed_on(req, rest);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(std::string(size, 'b'), "text/plain");
    try {
        const client_response r = co_await http().send(std::move(to));
        co_return told(r, r.body().size());
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    }
}

response call_sync(request& req, std::string_view rest) {
    client_request to = passed_on(req, rest);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(std::string(size, 'b'), "text/plain");
    try {
        const client_response r = http().send_sync(std::move(to));
        return told(r, r.body().size());
    } catch (const rondo::client_error& e) {
        return failed(e);
    }
}

rondo::async_generator<std::string> pieces(std::size_t size) {
    for (std::size_t sent = 0; sent < size; sent += 10'000) {
        co_yield std::string(10'000, 'p');
        if (sent % 70'000 == 0) co_await rondo::sleep(1ms);
    }
}

// Up and down in pieces; it may leave before the end.
task<response> call_in_pieces(request& req, std::string_view rest) {
    client_request to = passed_on(req, rest);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(pieces(size), "text/plain");
    const auto most = req.query_as<std::size_t>("pieces", 1000);
    try {
        client_response r = co_await http().open(std::move(to));
        std::size_t size = 0;
        for (std::size_t i = 0; i < most; ++i) {
            const std::string_view piece = co_await r.read();
            if (piece.empty()) break;
            size += piece.size();
        }
        co_return told(r, size);
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    }
}

// Gives up after a time that the test chooses.
task<response> call_for_a_while(request& req, std::string_view rest) {
    const std::chrono::milliseconds patience(req.query_as<unsigned>("ms", 10));
    try {
        const client_response r = co_await rondo::with_timeout(patience, http().send(passed_on(req, rest)));
        co_return told(r, r.body().size());
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    } catch (const rondo::timed_out&) {
        co_return rondo::text("given up\n").status(504);
    }
}

}  // namespace

void add_calls(rondo::app& to) {
    if (upstream().empty()) return;
    rondo::proxy_options options;
    options.client.timeouts = {.connect = 1s, .read = 1500ms, .total = 4s};
    options.strip_prefix = "/proxied";
    to.any("/proxied/<path:rest>", rondo::proxy(upstream(), options)).body_limit(largest_upload);
    to.any("/call/<path:rest>", call).body_limit(largest_upload);
    to.any("/call-sync/<path:rest>", call_sync).body_limit(largest_upload);
    to.any("/call-in-pieces/<path:rest>", call_in_pieces).body_limit(largest_upload);
    to.any("/call-for-a-while/<path:rest>", call_for_a_while).body_limit(largest_upload);
}

}  // namespace testbed
