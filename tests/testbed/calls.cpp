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

rondo::client_options options_for_tests() {
    rondo::client_options options;
    options.timeouts = {.connect = 1s, .read = 1500ms, .total = 4s};
    options.max_body = 4U << 20;
    return options;
}

rondo::client& http() {
    static rondo::client shared(options_for_tests());
    return shared;
}

std::string upstream() {
    const char* url = std::getenv("TESTBED_UPSTREAM");
    return url == nullptr ? "" : url;
}

// The received request, for the upstream: its method, its query and the name that the test gave it.
client_request forwarded(request& req, std::string_view path) {
    std::string url = upstream();
    url.append("/").append(path);
    if (!req.raw_query().empty()) url.append("?").append(req.raw_query());
    client_request to(req.method_text(), std::move(url));
    to.field("X-Request-Name", req.field("X-Request-Name").value_or("none"));
    return to;
}

std::size_t size_of_upload(request& req) { return req.query_as<std::size_t>("sent", 0); }

// Includes the name of the request that the upstream says it responds to.
response result(const client_response& r, std::size_t size) {
    response out = rondo::text(std::to_string(r.code()) + " " + std::to_string(size) + "\n");
    if (const auto name = r.field("X-Response-To")) out.field("X-Response-To", *name);
    return out;
}

// A failure of the upstream is a 502, as from a proxy.
response failed(const rondo::client_error& e) { return rondo::text(std::string(e.what()) + "\n").status(502); }

task<response> call(request& req, std::string_view path) {
    client_request to = forwarded(req, path);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(std::string(size, 'b'), "text/plain");
    try {
        const client_response r = co_await http().send(std::move(to));
        co_return result(r, r.body().size());
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    }
}

response call_sync(request& req, std::string_view path) {
    client_request to = forwarded(req, path);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(std::string(size, 'b'), "text/plain");
    try {
        const client_response r = http().send_sync(std::move(to));
        return result(r, r.body().size());
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

// Streams both bodies; may stop reading before the end.
task<response> call_in_pieces(request& req, std::string_view path) {
    client_request to = forwarded(req, path);
    if (const std::size_t size = size_of_upload(req); size > 0) to.body(pieces(size), "text/plain");
    const auto limit = req.query_as<std::size_t>("pieces", 1000);
    try {
        client_response r = co_await http().open(std::move(to));
        std::size_t size = 0;
        for (std::size_t i = 0; i < limit; ++i) {
            const std::string_view piece = co_await r.read();
            if (piece.empty()) break;
            size += piece.size();
        }
        co_return result(r, size);
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    }
}

// Cancels the call after a time that the test chooses.
task<response> call_with_timeout(request& req, std::string_view path) {
    const std::chrono::milliseconds timeout(req.query_as<unsigned>("ms", 10));
    try {
        const client_response r = co_await rondo::with_timeout(timeout, http().send(forwarded(req, path)));
        co_return result(r, r.body().size());
    } catch (const rondo::client_error& e) {
        co_return failed(e);
    } catch (const rondo::timed_out&) {
        co_return rondo::text("timed out\n").status(504);
    }
}

}  // namespace

void add_calls(rondo::app& to) {
    if (upstream().empty()) return;
    rondo::proxy_options options;
    options.client.timeouts = {.connect = 1s, .read = 1500ms, .total = 4s};
    options.strip_prefix = "/proxied";
    to.any("/proxied/<path:path>", rondo::proxy(upstream(), options)).body_limit(largest_upload);
    to.any("/call/<path:path>", call).body_limit(largest_upload);
    to.any("/call-sync/<path:path>", call_sync).body_limit(largest_upload);
    to.any("/call-in-pieces/<path:path>", call_in_pieces).body_limit(largest_upload);
    to.any("/call-with-timeout/<path:path>", call_with_timeout).body_limit(largest_upload);
}

}  // namespace testbed
