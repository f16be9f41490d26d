// SPDX-License-Identifier: Apache-2.0
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
constexpr std::uint64_t skip_at_most = 256 * 1024;

// Interrupts a read that is cancelled without its request: in a when_any group, or by a time limit.
class ends_wait final : cancel_callback {
public:
    ends_wait(net::stream& waited_for, context* reader) noexcept
        : cancel_callback([](cancel_callback& self, cancel_reason) noexcept {
              static_cast<ends_wait&>(self).waited_for_.interrupt();
          }),
          waited_for_(waited_for) {
        if (reader) reader->cancel.add(*this);
    }

private:
    net::stream& waited_for_;
};
}  // namespace

std::optional<std::uint64_t> exchange::length() const noexcept {
    if (chunked_body_) return std::nullopt;
    return received_ + left_;
}

const http::fields* exchange::trailers() const noexcept {
    return chunked_ && chunked_->done() && !chunked_->trailers().empty() ? &chunked_->trailers() : nullptr;
}

void exchange::fail_body(http::status code, const char* text) {
    body_state_ = body_state::failed;
    connection_.linger_ = true;
    throw http_error(code, text);
}

void exchange::check_limit() {
    std::uint64_t known = received_ + (chunked_body_ ? (chunked_ ? chunked_->announced() : 0) : left_);
    // The application may raise the limit and continue reading.
    if (known > limit_) throw http_error(http::status::content_too_large, "request body too large");
}

exchange::piece exchange::held_piece() noexcept {
    return {connection_.input().substr(chunked_->held_at, std::exchange(chunked_->held, 0u)), false};
}

exchange::piece exchange::next_chunk_piece() {
    if (!chunked_) chunked_ = std::make_unique<chunked_state>();
    for (;;) {
        auto result = chunked_->decode_joined(connection_.input_in_place());
        switch (result.what) {
            case http::h1::chunked_decoder::event::need_more:
                connection_.consume(result.consumed);
                check_limit();
                return {{}, true};
            case http::h1::chunked_decoder::event::data:
                taken_ = static_cast<std::uint32_t>(result.consumed);
                received_ += result.data.size();
                chunked_->held_at = static_cast<std::uint32_t>(result.data.data() - connection_.input().data());
                chunked_->held = static_cast<std::uint32_t>(result.data.size());
                check_limit();
                return held_piece();
            case http::h1::chunked_decoder::event::done:
                connection_.consume(result.consumed);
                body_state_ = body_state::ended;
                return {};
            case http::h1::chunked_decoder::event::error:
                fail_body(http::status::bad_request, "invalid chunked request body");
        }
    }
}

exchange::piece exchange::next_piece() {
    if (chunked_ && chunked_->held) {
        check_limit();
        return held_piece();
    }
    connection_.consume(std::exchange(taken_, 0u));
    if (body_state_ == body_state::failed) fail_body(http::status::bad_request, "request body could not be read");
    if (body_state_ == body_state::ended) return {};
    check_limit();
    connection_.hold_input();
    if (chunked_body_) return next_chunk_piece();
    std::string_view input = connection_.input();
    if (input.empty()) return {{}, true};
    taken_ = static_cast<std::uint32_t>(std::min<std::uint64_t>({left_, input.size(), UINT32_MAX}));
    left_ -= taken_;
    received_ += taken_;
    if (left_ == 0) body_state_ = body_state::ended;
    return {input.substr(0, taken_), false};
}

task<std::string_view> exchange::read() {
    for (;;) {
        piece next = next_piece();
        if (!next.waits) co_return next.data;
        co_await receive_more();
    }
}

void exchange::send_continue() {
    if (!continue_owed_) return;
    continue_owed_ = false;
    if (!begun()) connection_.write(http::h1::continue_head);
}

task<void> exchange::receive_more() {
    if (context_.cancel.requested()) throw cancelled{context_.cancel.reason()};
    context* const current = co_await this_context();
    context* const reader = current == &context_ ? nullptr : current;
    if (reader && reader->cancel.requested()) throw cancelled{reader->cancel.reason()};
    const options& limits = connection_.server_.options_;
    instant now = connection_.server_.loop_.now();
    if (body_began_ == instant{}) body_began_ = now;
    send_continue();
    // The time-out without progress, and the time that the average rate still allows.
    auto earned = std::chrono::milliseconds(received_ * 1000 / std::max(limits.body_rate, 1u));
    auto left = body_began_ + limits.body_timeout + earned - now;
    connection_.next_phase(connection::phase::body, std::min<clock::duration>(limits.body_timeout, left));
    request_.goes(stats::place::body);
    net::input_event event = net::input_event::more;
    {
        const ends_wait on_cancel(connection_, reader);
        event = co_await connection_.receive();
    }
    goes_on();
    bool late = connection_.timed_out_;
    context_.deadline = begun() ? instant::max() : connection_.server_.loop_.now() + limits.request_timeout;
    connection_.next_phase(connection::phase::serving, begun() ? clock::duration::max() : limits.request_timeout);
    switch (event) {
        case net::input_event::more: co_return;
        case net::input_event::end:
            fail_body(http::status::bad_request, "connection closed by the client before the end of the request body");
        case net::input_event::failed:
            body_state_ = body_state::failed;
            context_.cancel.cancel(cancel_reason::disconnected);
            throw cancelled{cancel_reason::disconnected};
        case net::input_event::interrupted:
            connection_.clear_interrupt();
            if (late) fail_body(http::status::request_timeout, "request body received too slowly");
            // Only this read was cancelled; the body can still be read.
            if (reader && !context_.cancel.requested()) throw cancelled{reader->cancel.reason()};
            body_state_ = body_state::failed;
            throw cancelled{context_.cancel.reason()};
    }
}

bool exchange::body_is_skippable(bool unwanted) {
    if (body_state_ == body_state::failed || continue_owed_) return false;
    if (!unwanted) return chunked_body_ || left_ <= skip_at_most;
    // Usually the body was received already.
    std::uint64_t before = received_;
    try {
        while (body_state_ == body_state::reading && received_ - before < skip_at_most && !next_piece().waits) {
        }
    } catch (...) {
        return false;
    }
    if (body_state_ == body_state::ended) return true;
    return chunked_body_ || left_ <= skip_at_most;
}

task<bool> exchange::skip_body() {
    std::uint64_t before = received_;
    try {
        while (body_state_ == body_state::reading && received_ - before < skip_at_most) (void)co_await read();
    } catch (const http_error&) {
    } catch (const cancelled&) {
    }
    co_return body_state_ == body_state::ended;
}

}  // namespace rondo::server
