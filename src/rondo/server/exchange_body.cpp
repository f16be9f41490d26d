// SPDX-License-Identifier: Apache-2.0
// The request body: reading, limits, time-outs, and discarding what the application does not read.
#include <algorithm>
#include <utility>

#include <rondo/coro/this_context.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/exchange.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

namespace {
// Bytes of an unread body that are discarded to keep the connection open.
constexpr std::uint64_t max_skipped_body = 256 * 1024;

constexpr const char* closed_early = "connection closed by the client before the end of the request body";

// Interrupts a read that is cancelled without its request: in a when_any group, or by a time limit.
class read_interrupter final : cancel_callback {
public:
    read_interrupter(net::stream& stream, task_context* reader) noexcept
        : cancel_callback([](cancel_callback& self, cancel_reason) noexcept {
              static_cast<read_interrupter&>(self).stream_.interrupt();
          }),
          stream_(stream) {
        if (reader) reader->cancel.add(*this);
    }

private:
    net::stream& stream_;
};
}  // namespace

std::optional<std::uint64_t> exchange::length() const noexcept {
    if (chunked_body_) return std::nullopt;
    return received_ + remaining_;
}

const http::fields* exchange::trailers() const noexcept {
    return chunked_ && chunked_->done() && !chunked_->trailers().empty() ? &chunked_->trailers() : nullptr;
}

void exchange::fail_body(http::status code, const char* text) {
    body_state_ = body_state::failed;
    connection_.linger_ = true;
    throw http_error(code, text);
}

void exchange::fail_disconnected() {
    body_state_ = body_state::failed;
    context_.cancel.cancel(cancel_reason::disconnected);
    throw cancelled{cancel_reason::disconnected};
}

void exchange::check_limit() {
    std::uint64_t known = received_ + (chunked_body_ ? (chunked_ ? chunked_->chunk_remaining() : 0) : remaining_);
    // The application may raise the limit and continue reading.
    if (known > limit_) throw http_error(http::status::content_too_large, "request body too large");
}

exchange::piece exchange::pending_piece() noexcept {
    return {connection_.input().substr(chunked_->pending_offset, std::exchange(chunked_->pending, 0u)), false};
}

exchange::piece exchange::next_chunk_piece() {
    if (!chunked_) chunked_ = std::make_unique<chunked_state>();
    for (;;) {
        auto result = chunked_->decode_joined(connection_.mutable_input());
        switch (result.kind) {
            case http::h1::chunked_decoder::event::need_more:
                connection_.consume(result.consumed);
                check_limit();
                return {{}, true};
            case http::h1::chunked_decoder::event::data:
                unconsumed_ = static_cast<std::uint32_t>(result.consumed);
                received_ += result.data.size();
                chunked_->pending_offset = static_cast<std::uint32_t>(result.data.data() - connection_.input().data());
                chunked_->pending = static_cast<std::uint32_t>(result.data.size());
                check_limit();
                return pending_piece();
            case http::h1::chunked_decoder::event::done:
                connection_.consume(result.consumed);
                body_state_ = body_state::ended;
                return {};
            case http::h1::chunked_decoder::event::error:
                fail_body(http::status::bad_request, "invalid chunked request body");
        }
    }
}

// Unless it is kept, the piece is valid only until the caller suspends: a copy of the input is saved.
exchange::piece exchange::next_piece(bool is_kept) {
    if (chunked_ && chunked_->pending) {
        check_limit();
        return pending_piece();
    }
    connection_.consume(std::exchange(unconsumed_, 0u));
    if (body_state_ == body_state::failed) fail_body(http::status::bad_request, "request body could not be read");
    if (body_state_ == body_state::ended) return {};
    check_limit();
    if (is_kept) connection_.buffer_input();
    if (chunked_body_) return next_chunk_piece();
    std::string_view input = connection_.input();
    if (input.empty()) return {{}, true};
    unconsumed_ = static_cast<std::uint32_t>(std::min<std::uint64_t>({remaining_, input.size(), UINT32_MAX}));
    remaining_ -= unconsumed_;
    received_ += unconsumed_;
    if (remaining_ == 0) body_state_ = body_state::ended;
    return {input.substr(0, unconsumed_), false};
}

task<std::string_view> exchange::read() {
    for (;;) {
        piece next = next_piece();
        if (!next.needs_input) co_return next.data;
        co_await receive_more();
    }
}

std::size_t exchange::buffered() const noexcept {
    const std::size_t size = connection_.input().size() - unconsumed_;
    return chunked_body_ ? size : static_cast<std::size_t>(std::min<std::uint64_t>(size, remaining_));
}

std::optional<std::string_view> exchange::try_read() {
    const piece next = next_piece(false);
    if (!next.needs_input) return next.data;
    if (context_.cancel.is_cancelled()) throw cancelled{context_.cancel.reason()};
    if (!connection_.input_ended()) return std::nullopt;
    // read() would fail at once.
    if (connection_.failed()) fail_disconnected();
    fail_body(http::status::bad_request, closed_early);
}

void exchange::send_continue() {
    if (!continue_pending_) return;
    continue_pending_ = false;
    if (!has_started()) connection_.write(http::h1::continue_head);
}

task<void> exchange::receive_more() {
    if (context_.cancel.is_cancelled()) throw cancelled{context_.cancel.reason()};
    task_context* const current = co_await this_context();
    task_context* const reader = current == &context_ ? nullptr : current;
    if (reader && reader->cancel.is_cancelled()) throw cancelled{reader->cancel.reason()};
    const options& limits = connection_.server_.options_;
    instant now = connection_.server_.loop_.now();
    if (body_started_ == instant{}) body_started_ = now;
    send_continue();
    // The time-out without progress, and the time that the average rate still allows.
    auto earned = std::chrono::milliseconds(received_ * 1000 / std::max(limits.body_rate, 1u));
    auto time_left = body_started_ + limits.body_timeout + earned - now;
    connection_.enter_phase(connection::phase::body, std::min<clock::duration>(limits.body_timeout, time_left));
    request_.enter(stats::request_state::reading_body);
    net::input_event event = net::input_event::data;
    {
        const read_interrupter on_cancel(connection_, reader);
        event = co_await connection_.receive();
    }
    mark_resumed();
    bool late = connection_.timed_out_;
    const server& owner = connection_.server_;
    context_.deadline = has_started() ? instant::max() : owner.request_deadline(owner.loop_.now());
    connection_.enter_phase(connection::phase::serving, has_started() ? clock::duration::max() : owner.request_limit());
    switch (event) {
        case net::input_event::data: co_return;
        case net::input_event::end: fail_body(http::status::bad_request, closed_early);
        case net::input_event::failed: fail_disconnected();
        case net::input_event::interrupted:
            connection_.clear_interrupt();
            if (late) fail_body(http::status::request_timeout, "request body received too slowly");
            // Only this read was cancelled; the body can still be read.
            if (reader && !context_.cancel.is_cancelled()) throw cancelled{reader->cancel.reason()};
            body_state_ = body_state::failed;
            throw cancelled{context_.cancel.reason()};
    }
}

bool exchange::can_skip_body(bool unwanted) {
    if (body_state_ == body_state::failed || continue_pending_) return false;
    if (!unwanted) return chunked_body_ || remaining_ <= max_skipped_body;
    // Usually the body was received already.
    std::uint64_t before = received_;
    try {
        while (body_state_ == body_state::reading && received_ - before < max_skipped_body &&
               !next_piece().needs_input) {
        }
    } catch (...) {
        return false;
    }
    if (body_state_ == body_state::ended) return true;
    return chunked_body_ || remaining_ <= max_skipped_body;
}

task<bool> exchange::skip_body() {
    std::uint64_t before = received_;
    try {
        while (body_state_ == body_state::reading && received_ - before < max_skipped_body) (void)co_await read();
    } catch (const http_error&) {
    } catch (const cancelled&) {
    }
    co_return body_state_ == body_state::ended;
}

}  // namespace rondo::server
