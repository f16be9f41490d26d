// SPDX-License-Identifier: Apache-2.0
// Server-sent events as a response.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/base/clock.hpp>
#include <rondo/coro/async_generator.hpp>
#include <rondo/http/sse.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

/// An event: `data` (may have several lines), and optionally `id`, `event` (its type) and `retry` (milliseconds).
/// Not an aggregate: GCC 12 miscompiles `co_yield aggregate{...}`. Line breaks in `id` or `event` abort the stream.
struct sse_event : http::server_sent_event {
    sse_event() = default;
    explicit sse_event(std::string text, std::optional<std::string> event_id = {}, std::string type = {}) {
        data = std::move(text);
        id = std::move(event_id);
        event = std::move(type);
    }
};

struct sse_options {
    /// Sends a comment after this long without an event, so that proxies keep the connection open and a disconnected
    /// client is detected.
    clock::duration keep_alive = std::chrono::seconds(15);
};

/// Makes a text/event-stream (HTML standard, section 9.2) of the events that the generator yields. The head is sent at
/// once; a slow client suspends the generator; it is destroyed when the client disconnects. When the generator ends,
/// the response ends, and browsers reconnect with the last id they received (see last_event_id). An exception aborts
/// the connection.
///
///     rondo::async_generator<rondo::sse_event> feed(std::uint64_t last) {
///         for (;;) {
///             last = co_await news.wait_past(last);
///             co_yield rondo::sse_event(text_of(last), std::to_string(last));
///         }
///     }
[[nodiscard]] response sse(async_generator<sse_event> events, sse_options options = {});

/// Returns the id of the last event that a reconnecting client received (Last-Event-ID); nothing on its first
/// connection. Untrusted input: validate it.
[[nodiscard]] std::optional<std::string_view> last_event_id(const request& req) noexcept;

}  // namespace rondo
