// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/client/exchange.hpp>
#include <rondo/client/exchange_decoding.hpp>

// Reads the response body.
namespace rondo::detail {

namespace {
constexpr std::size_t max_discarded_bytes = 64 * 1024;
constexpr std::size_t decoded_block_size = 64 * 1024;
constexpr std::uint64_t ratio_check_threshold = 1024 * 1024;
}  // namespace

void client_exchange::count_body(std::size_t size) {
    received_ += size;
    const std::uint64_t size_so_far = received_ + (head_.body == http::h1::response_framing::length ? remaining_ : 0) +
                                      (chunked_ ? chunked_->chunk_remaining() : 0);
    if (size_so_far > max_body_) {
        fail(client_failure::body_too_large, fmt::format("the response body is larger than {} bytes", max_body_));
    }
}

// Returns the connection to the pool as soon as the response is read, even if the response is still referenced.
void client_exchange::end_body() noexcept {
    ended_ = true;
    if (!lease_ || sending_) return;
    if (head_.keep_alive && request_sent_ && connection().unsent_bytes() == 0 && connection().input().empty())
        lease_.release();
    else lease_.close();
}

client_exchange::piece client_exchange::next_chunk_piece() {
    using event = http::h1::chunked_decoder::event;
    if (!chunked_) chunked_ = std::make_unique<http::h1::chunked_decoder>(http::h1::chunked_decoder::peer::server);
    for (;;) {
        const auto result = chunked_->decode_joined(connection().mutable_input());
        switch (result.kind) {
            case event::need_more:
                connection().consume(result.consumed);
                count_body(0);
                return {{}, true};
            case event::data:
                unconsumed_ = static_cast<std::uint32_t>(result.consumed);
                count_body(result.data.size());
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
    connection().consume(std::exchange(unconsumed_, 0u));
    if (head_.body == http::h1::response_framing::chunked) return next_chunk_piece();
    const bool counted = head_.body == http::h1::response_framing::length;
    if (counted && remaining_ == 0) {
        end_body();
        return {};
    }
    std::string_view input = connection().input();
    if (input.empty()) return {{}, true};
    if (counted && input.size() > remaining_) input = input.substr(0, remaining_);
    unconsumed_ = static_cast<std::uint32_t>(input.size());
    if (counted) remaining_ -= unconsumed_;
    count_body(unconsumed_);
    return {input, false};
}

// Makes the decoder for the one content coding that the head names.
void client_exchange::start_decoding(unsigned max_ratio) {
    if (head_.body == http::h1::response_framing::none) return;
    std::vector<std::string_view> names;
    for (const std::string_view line : fields().find_all("Content-Encoding")) {
        for (std::string_view remaining = line; !remaining.empty();) {
            const std::size_t comma = std::min(remaining.find(','), remaining.size());
            const std::string_view name = http::trimmed(remaining.substr(0, comma));
            if (!name.empty() && !http::equals_ignore_case(name, "identity")) names.push_back(name);
            remaining.remove_prefix(std::min(comma + 1, remaining.size()));
        }
    }
    if (names.empty()) return;
    if (names.size() > 1) fail(client_failure::protocol, "the body has more than one content coding");
    auto decoder = codec::decompressor::make(names.front());
    if (!decoder) fail(client_failure::protocol, fmt::format("unexpected content coding '{}'", names.front()));
    decoding_ = std::make_unique<decoding>(std::move(decoder), max_ratio);
}

// Empty when all of `coded` was consumed without producing output.
std::string_view client_exchange::decode_piece(std::string_view coded) {
    decoding& d = *decoding_;
    using state = codec::decompressor::decode_status;
    d.out.clear();
    const bool after_end = d.ended && !coded.empty();
    const auto result = d.decoder->decode(coded, d.out, decoded_block_size);
    d.encoded_bytes += result.consumed;
    d.decoded_bytes += d.out.size();
    if (result.status == state::invalid) {
        fail(client_failure::protocol,
             after_end ? "bytes follow the end of the encoded body" : "the encoded body is not valid");
    }
    d.ended = result.status == state::ended;
    d.undecoded = coded.substr(result.consumed);
    d.has_more_output = result.status == state::output_full;
    if (d.decoded_bytes > max_body_) {
        fail(client_failure::body_too_large,
             fmt::format("the decoded response body is larger than {} bytes", max_body_));
    }
    if (d.decoded_bytes > ratio_check_threshold && d.decoded_bytes / d.max_ratio > d.encoded_bytes) {
        fail(client_failure::body_too_large,
             fmt::format("the response body was compressed more than {} times", d.max_ratio));
    }
    return d.out;
}

client_exchange::piece client_exchange::next_decoded_piece() {
    if (!decoding_) return next_piece();
    for (;;) {
        if (decoding_->has_more_output || !decoding_->undecoded.empty()) {
            const std::string_view out = decode_piece(decoding_->undecoded);
            if (!out.empty()) return {out, false};
            continue;
        }
        const piece next = next_piece();
        if (next.needs_input) return next;
        if (next.data.empty()) {
            const bool complete = decoding_->ended || decoding_->encoded_bytes == 0;
            if (!complete) fail(client_failure::protocol, "the encoded body is incomplete");
            decoding_.reset();
            return {};
        }
        const std::string_view out = decode_piece(next.data);
        if (!out.empty()) return {out, false};
    }
}

task<std::string_view> client_exchange::read() {
    for (;;) {
        // The returned bytes must stay valid across the caller's awaits.
        const bool has_pending_output = decoding_ && (decoding_->has_more_output || !decoding_->undecoded.empty());
        if (lease_ && !has_pending_output) {
            connection().consume(std::exchange(unconsumed_, 0u));
            connection().buffer_input();
        }
        const piece next = next_decoded_piece();
        if (!next.needs_input) co_return next.data;
        co_await receive_more(false);
    }
}

task<void> client_exchange::discard_rest() {
    std::size_t skipped = 0;
    try {
        while (!ended_ && skipped < max_discarded_bytes) {
            const piece next = next_piece();
            skipped += next.data.size();
            if (next.needs_input) co_await receive_more(false);
        }
    } catch (const client_error&) {
        // The connection is closed; the rest of this body is not needed.
    }
}

task<void> client_exchange::read_all(std::string& into) {
    if (head_.body == http::h1::response_framing::length && !decoding_)
        into.reserve(into.size() + std::min(remaining_, max_body_));
    while (!ended()) {
        const piece next = next_decoded_piece();
        into += next.data;
        if (next.needs_input) co_await receive_more(false);
    }
}

}  // namespace rondo::detail
