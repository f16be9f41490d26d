// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/request_fields.hpp>

#include <cstring>
#include <limits>

#include <rondo/http/authority.hpp>
#include <rondo/http/characters.hpp>

namespace rondo::http::h1 {
namespace {

// `wanted` is of letters and '-' only and in lower case, and the name is of tchars. No other tchar becomes a letter or
// '-' by setting bit 5 (CR would become '-'), so this compares exactly.
template <std::size_t Size>
[[nodiscard]] bool matches(std::string_view name, const char (&wanted)[Size]) noexcept {
    unsigned difference = 0;
    for (std::size_t i = 0; i + 1 < Size; ++i) {
        difference |= (static_cast<unsigned char>(name[i]) | 0x20U) ^ static_cast<unsigned char>(wanted[i]);
    }
    return difference == 0;
}

// The last coding is `chunked` and stands there once, after other codings; the syntax is a list of tokens.
bool other_codings_then_chunked(std::string_view list) noexcept {
    const std::size_t last = list.rfind(',');
    if (last == std::string_view::npos || !same_ignoring_case(trimmed(list.substr(last + 1)), "chunked")) return false;
    for (std::string_view rest = list.substr(0, last);;) {
        const std::size_t comma = rest.find(',');
        const std::string_view coding = trimmed(rest.substr(0, comma));
        if (!valid_token(coding) || same_ignoring_case(coding, "chunked")) return false;
        if (comma == std::string_view::npos) return true;
        rest.remove_prefix(comma + 1);
    }
}

}  // namespace

std::expected<void, parse_error> request_fields::note_known(std::string_view name, std::string_view value,
                                                            slice at) noexcept {
    switch (name.size()) {
        case 4:
            if (matches(name, "host")) return note_host(value, at);
            break;
        case 6:
            if (matches(name, "expect")) note_expect(value);
            break;
        case 7:
            if (matches(name, "upgrade")) upgrade_field_ = true;
            break;
        case 10:
            if (matches(name, "connection")) note_connection(value);
            break;
        case 14:
            if (matches(name, "content-length")) return note_content_length(value);
            break;
        case 17:
            if (matches(name, "transfer-encoding")) return note_transfer_encoding(value);
            break;
        default: break;
    }
    return {};
}

std::expected<void, parse_error> request_fields::note_host(std::string_view value, slice at) noexcept {
    if (has_host_ || !parse_authority(value)) return std::unexpected(parse_error::bad_host);
    has_host_ = true;
    host_ = at;
    return {};
}

std::expected<void, parse_error> request_fields::note_content_length(std::string_view value) noexcept {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    if (has_content_length_ || value.empty()) return std::unexpected(parse_error::bad_content_length);
    std::uint64_t number = 0;
    for (const char c : value) {
        if (!characters::is(c, characters::digit)) return std::unexpected(parse_error::bad_content_length);
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (number > (most - digit) / 10) return std::unexpected(parse_error::bad_content_length);
        number = number * 10 + digit;
    }
    has_content_length_ = true;
    content_length_ = number;
    return {};
}

std::expected<void, parse_error> request_fields::note_transfer_encoding(std::string_view value) noexcept {
    if (!chunked_ && same_ignoring_case(value, "chunked")) {
        chunked_ = true;
        return {};
    }
    // RFC 9112 section 6.1 asks for 501 when a coding is not known, section 6.3 for 400 when the last is not chunked.
    return std::unexpected(!chunked_ && other_codings_then_chunked(value) ? parse_error::unknown_transfer_coding
                                                                          : parse_error::bad_transfer_encoding);
}

void request_fields::note_connection(std::string_view value) noexcept {
    while (!value.empty()) {
        const std::size_t comma = value.find(',');
        const std::string_view token = trimmed(value.substr(0, comma));
        close_ = close_ || same_ignoring_case(token, "close");
        keep_alive_ = keep_alive_ || same_ignoring_case(token, "keep-alive");
        upgrade_token_ = upgrade_token_ || same_ignoring_case(token, "upgrade");
        if (comma == std::string_view::npos) return;
        value.remove_prefix(comma + 1);
    }
}

void request_fields::note_expect(std::string_view value) noexcept {
    if (value.empty()) return;
    if (!same_ignoring_case(value, "100-continue")) {
        expect_ = expectation::unknown;
    } else if (expect_ == expectation::none) {
        expect_ = expectation::continue_100;
    }
}

std::expected<void, parse_error> request_fields::finish(request_head& head) const noexcept {
    const bool modern = head.minor != 0;
    if (modern && !has_host_) return std::unexpected(parse_error::bad_host);
    if (chunked_ && (has_content_length_ || !modern)) return std::unexpected(parse_error::bad_transfer_encoding);
    head.body = chunked_ ? framing::chunked : has_content_length_ ? framing::length : framing::none;
    head.content_length = content_length_;
    head.expect = modern ? expect_ : expectation::none;
    head.keep_alive = !close_ && (modern || keep_alive_);
    head.upgrade = modern && upgrade_token_ && upgrade_field_;
    return {};
}

}  // namespace rondo::http::h1
