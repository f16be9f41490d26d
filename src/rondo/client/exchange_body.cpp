// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/client/decoding.hpp>
#include <rondo/client/exchange.hpp>

// Reads the response body.
namespace rondo::detail {

namespace {
constexpr std::size_t skip_at_most = 64 * 1024;
constexpr std::size_t decoded_step = 64 * 1024;
constexpr std::uint64_t ratio_free = 1024 * 1024;
}  // namespace

void client_exchange::count(std::size_t size) {
    received_ += size;
    const std::uint64_t known = received_ + (head_.body == http::h1::response_framing::length ? left_ : 0) +
                                (chunked_ ? chunked_->announced() : 0);
    if (known > max_body_) {
        fail(client_failure::body_too_large, fmt::format("the response body is larger than {} bytes", max_body_));
    }
}

// Returns the connection to the pool as soon as the response is read, even if the response is still referenced.
void client_exchange::end_body() noexcept {
    ended_ = true;
    if (!lease_ || sending_) return;
    if (head_.keep_alive && sent_ && connection().backlog() == 0 && connection().input().empty()) lease_.give_back();
    else lease_.drop();
}

client_exchange::piece client_exchange::next_chunk_piece() {
    using event = http::h1::chunked_decoder::event;
    if (!chunked_) chunked_ = std::make_unique<http::h1::chunked_decoder>(http::h1::chunked_decoder::from::server);
    for (;;) {
        const auto result = chunked_->decode_joined(connection().input_in_place());
        switch (result.what) {
            case event::need_more:
                connection().consume(result.consumed);
                count(0);
                return {{}, true};
            case event::data:
                taken_ = static_cast<std::uint32_t>(result.consumed);
                count(result.data.size());
                return {result.data, false};
            case event::done:
                connection().consume(result.consumed);
                end_body();
                return {};
            case event::error: fail(client_failure::protocol, "invalid chunked body");
        }
    }
}

client_exchange::piece client_exchange::next_piece() {
    if (ended_) return {};
    if (!lease_) throw client_error(client_failure::closed, "the response failed before");
    connection().consume(std::exchange(taken_, 0u));
    if (head_.body == http::h1::response_framing::chunked) return next_chunk_piece();
    const bool counted = head_.body == http::h1::response_framing::length;
    if (counted && left_ == 0) {
        end_body();
        return {};
    }
    std::string_view input = connection().input();
    if (input.empty()) return {{}, true};
    if (counted && input.size() > left_) input = input.substr(0, left_);
    taken_ = static_cast<std::uint32_t>(input.size());
    if (counted) left_ -= taken_;
    count(taken_);
    return {input, false};
}

// Makes the decoder for the one content coding that the head names.
void client_exchange::decode(unsigned max_ratio) {
    if (head_.body == http::h1::response_framing::none) return;
    std::vector<std::string_view> names;
    for (const std::string_view line : fields().all("Content-Encoding")) {
        for (std::string_view rest = line; !rest.empty();) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            const std::string_view name = http::trimmed(rest.substr(0, comma));
            if (!name.empty() && !http::same_ignoring_case(name, "identity")) names.push_back(name);
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    if (names.empty()) return;
    if (names.size() > 1) fail(client_failure::protocol, "the body has more than one content coding");
    auto decoder = codec::decompressor::make(names.front());
    if (!decoder) fail(client_failure::protocol, fmt::format("unexpected content coding '{}'", names.front()));
    decoding_ = std::make_unique<decoding>(std::move(decoder), max_ratio);
}

// Empty when all of `coded` was consumed without producing output.
std::string_view client_exchange::decoded(std::string_view coded) {
    decoding& d = *decoding_;
    using state = codec::decompressor::state;
    d.out.clear();
    const bool after_end = d.ended && !coded.empty();
    const auto result = d.decoder->decode(coded, d.out, decoded_step);
    d.taken += result.consumed;
    d.given += d.out.size();
    if (result.what == state::bad) {
        fail(client_failure::protocol,
             after_end ? "bytes follow the end of the encoded body" : "the encoded body is not valid");
    }
    d.ended = result.what == state::ended;
    d.rest = coded.substr(result.consumed);
    d.full = result.what == state::full;
    if (d.given > max_body_) {
        fail(client_failure::body_too_large,
             fmt::format("the decoded response body is larger than {} bytes", max_body_));
    }
    if (d.given > ratio_free && d.given / d.max_ratio > d.taken) {
        fail(client_failure::body_too_large,
             fmt::format("the response body was compressed more than {} times", d.max_ratio));
    }
    return d.out;
}

client_exchange::piece client_exchange::next_decoded() {
    if (!decoding_) return next_piece();
    for (;;) {
        if (decoding_->full || !decoding_->rest.empty()) {
            const std::string_view out = decoded(decoding_->rest);
            if (!out.empty()) return {out, false};
            continue;
        }
        const piece next = next_piece();
        if (next.waits) return next;
        if (next.data.empty()) {
            const bool whole = decoding_->ended || decoding_->taken == 0;
            if (!whole) fail(client_failure::protocol, "the encoded body is incomplete");
            decoding_.reset();
            return {};
        }
        const std::string_view out = decoded(next.data);
        if (!out.empty()) return {out, false};
    }
}

task<std::string_view> client_exchange::read() {
    for (;;) {
        // The returned bytes must stay valid across the caller's awaits.
        const bool rest = decoding_ && (decoding_->full || !decoding_->rest.empty());
        if (lease_ && !rest) {
            connection().consume(std::exchange(taken_, 0u));
            connection().hold_input();
        }
        const piece next = next_decoded();
        if (!next.waits) co_return next.data;
        co_await receive_more(false);
    }
}

task<void> client_exchange::skip() {
    std::size_t skipped = 0;
    try {
        while (!ended_ && skipped < skip_at_most) {
            const piece next = next_piece();
            skipped += next.data.size();
            if (next.waits) co_await receive_more(false);
        }
    } catch (const client_error&) {
        // The connection is closed; the rest of this body is not needed.
    }
}

task<void> client_exchange::read_all(std::string& into) {
    if (head_.body == http::h1::response_framing::length && !decoding_)
        into.reserve(into.size() + std::min(left_, max_body_));
    while (!ended()) {
        const piece next = next_decoded();
        into += next.data;
        if (next.waits) co_await receive_more(false);
    }
}

}  // namespace rondo::detail
