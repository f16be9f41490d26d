// SPDX-License-Identifier: Apache-2.0
// Streamed responses: bodies that are produced while they are sent.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/generator.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

inline constexpr std::string_view plain_text = "text/plain; charset=utf-8";

/// Writes a streamed body. Lives until the response is sent; to be used on the loop thread.
class writer {
public:
    writer(handler::responder& to, const handler::response_head& head, std::optional<std::uint64_t> length) noexcept
        : to_(to), head_(head), length_(length) {}
    writer(const writer&) = delete;
    writer& operator=(const writer&) = delete;

    /// Sends a piece, and waits while the client is slow. `bytes` must stay valid until the await completes. Throws
    /// response_error beyond the declared length, std::system_error or `cancelled` when the client has disconnected.
    [[nodiscard]] task<void> write(std::string_view bytes) {
        start();
        return to_.write(bytes);
    }
    /// Sends the head now instead of with the first piece. Afterwards a failure can no longer change the status.
    void start() {
        if (!to_.has_started()) to_.start(head_, length_);
    }
    /// Called by the framework after the last piece.
    void finish() {
        start();
        to_.finish();
    }

private:
    handler::responder& to_;
    const handler::response_head& head_;
    std::optional<std::uint64_t> length_;
};

/// Makes a response whose body is produced while it is sent. The head is sent with the first piece, so a failure before
/// that becomes an error page; a later one aborts the connection, so that the client detects the incomplete body.
/// A slow client suspends the generator. For HEAD the generator does not run. `length` is the size in bytes if known in
/// advance (Content-Length); otherwise the body is chunked. The generator is destroyed early if the client disconnects.
///
///     rondo::async_generator<std::string> lines() { co_yield "one\n"; co_await rondo::sleep(1s); co_yield "two\n"; }
///     rondo::response view(rondo::request&) { return rondo::stream(lines()); }
[[nodiscard]] response stream(async_generator<std::string> pieces, std::string_view type = plain_text,
                              std::optional<std::uint64_t> length = {});
/// Produces each piece on the blocking pool, so the generator may block. It occupies no thread between pieces.
[[nodiscard]] response stream(generator<std::string> pieces, std::string_view type = plain_text,
                              std::optional<std::uint64_t> length = {});

namespace detail {

template <class F>
class function_body final : public body_source {
public:
    function_body(F f, std::optional<std::uint64_t> length) : function_(std::move(f)), length_(length) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        writer out(to, head, length_);
        if (to.needs_body()) co_await function_(out);
        out.finish();
    }

private:
    F function_;
    std::optional<std::uint64_t> length_;
};

}  // namespace detail

/// Makes a streamed response from a function that writes the body:
/// `stream([name](writer& out) -> task<void> { co_await out.write(name); })`.
/// The function object lives until the body is sent, so a coroutine lambda may use its captures.
template <class F>
    requires std::is_invocable_r_v<task<void>, F&, writer&>
[[nodiscard]] response stream(F function, std::string_view type = plain_text,
                              std::optional<std::uint64_t> length = {}) {
    return with_source(std::make_unique<detail::function_body<F>>(std::move(function), length), {}).type(type);
}

}  // namespace rondo
