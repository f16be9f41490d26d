// SPDX-License-Identifier: Apache-2.0
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

/// One event: `data` (may have several lines), and perhaps `id`, `event` (its type) and `retry` (milliseconds).
/// Not an aggregate: GCC 12 miscompiles `co_yield aggregate{...}`. Line ends in `id` or `event` break the stream off.
struct sse_event : http::server_sent_event {
    sse_event() = default;
    explicit sse_event(std::string text, std::optional<std::string> id_of_it = {}, std::string type = {}) {
        data = std::move(text);
        id = std::move(id_of_it);
        event = std::move(type);
    }
};

struct sse_options {
    /// When there was no event for so long a comment is sent, so that proxies keep the connection and a client that is
    /// gone is noticed.
    clock::duration keep_alive = std::chrono::seconds(15);
};

/// A text/event-stream (HTML standard, section 9.2) of what the generator yields. The head is sent at once; a slow
/// client makes the generator wait; it is destroyed when the client goes away. When the generator ends, so does the
/// response, and browsers connect again: they tell the last id they saw (see last_event_id). A failure breaks it off.
///
///     rondo::async_generator<rondo::sse_event> feed(std::uint64_t seen) {
///         for (;;) {
///             seen = co_await news.wait_past(seen);
///             co_yield rondo::sse_event(text_of(seen), std::to_string(seen));
///         }
///     }
[[nodiscard]] response sse(async_generator<sse_event> events, sse_options options = {});

/// The id of the last event a reconnecting client saw (Last-Event-ID); none when it connects for the first time.
/// It came from outside: parse it.
[[nodiscard]] std::optional<std::string_view> last_event_id(const request& req) noexcept;

}  // namespace rondo
