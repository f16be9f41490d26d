// SPDX-License-Identifier: Apache-2.0
#include <span>
#include <string>

#include <rondo/http/h1/chunked.hpp>

#include "check.hpp"

namespace {

using rondo::fuzz::check;
using rondo::fuzz::cutter;
using decoder = rondo::http::h1::chunked_decoder;

struct outcome {
    decoder::event last = decoder::event::need_more;
    std::string body;
    std::string trailers;
    std::size_t consumed = 0;  // up to the end of the body

    bool operator==(const outcome&) const = default;
};

// Returns whether the decoder needs more input.
bool feed(decoder& d, std::string_view piece, outcome& out) {
    for (;;) {
        const auto result = d.decode(piece);
        check(result.consumed <= piece.size() && rondo::fuzz::is_inside(result.data, piece));
        out.last = result.kind;
        out.body += result.data;
        if (result.kind != decoder::event::error) out.consumed += result.consumed;
        piece.remove_prefix(result.consumed);
        if (result.kind == decoder::event::data) {
            check(!result.data.empty());
            continue;
        }
        check(result.kind != decoder::event::need_more || piece.empty());
        return result.kind == decoder::event::need_more;
    }
}

outcome decode(cutter pieces) {
    decoder d;
    outcome out;
    while (!pieces.empty() && feed(d, pieces.next(), out)) {
    }
    out.trailers = d.trailers().wire();
    if (out.last == decoder::event::error) out.consumed = 0;  // depends on the split
    return out;
}

outcome decode_whole(std::string_view text) {
    decoder d;
    outcome out;
    feed(d, text, out);
    out.trailers = d.trailers().wire();
    if (out.last == decoder::event::error) out.consumed = 0;
    return out;
}

// Joining chunks must not change the body.
outcome decode_joined(std::string text) {
    decoder d;
    outcome out;
    std::span<char> in(text);
    for (;;) {
        const auto result = d.decode_joined(in);
        check(result.consumed <= in.size() && rondo::fuzz::is_inside(result.data, {in.data(), in.size()}));
        out.last = result.kind;
        out.body += result.data;
        if (result.kind != decoder::event::error) out.consumed += result.consumed;
        in = in.subspan(result.consumed);
        if (result.kind != decoder::event::data) break;
        check(!result.data.empty());
    }
    out.trailers = d.trailers().wire();
    if (out.last == decoder::event::error) out.consumed = 0;
    return out;
}

// The decoded body, encoded as one chunk, must decode to the same.
void check_round_trip(const outcome& first) {
    std::string encoded;
    if (!first.body.empty()) {
        char digits[20];
        std::size_t at = sizeof digits;
        for (std::size_t size = first.body.size(); size != 0; size /= 16) digits[--at] = "0123456789ABCDEF"[size % 16];
        encoded.append(digits + at, sizeof digits - at);
        ((encoded += "\r\n") += first.body) += "\r\n";
    }
    ((encoded += "0\r\n") += first.trailers) += "\r\n";
    const outcome second = decode_whole(encoded);
    check(second.last == decoder::event::done && second.body == first.body && second.trailers == first.trailers);
    check(second.consumed == encoded.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text = rondo::fuzz::as_text(data + 1, size - 1);
    const outcome whole = decode_whole(text);
    check(decode(cutter(text, data[0])) == whole);
    check(decode_joined(std::string(text)) == whole);
    if (whole.last == decoder::event::done) check_round_trip(whole);
    return 0;
}
