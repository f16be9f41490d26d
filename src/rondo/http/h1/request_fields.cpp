// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/request_fields.hpp>

#include <rondo/http/authority.hpp>
#include <rondo/http/h1/head_reader.hpp>

namespace rondo::http::h1 {
namespace {

// Returns true for a list of tokens that ends with `chunked`, after other codings and not repeated.
bool other_codings_then_chunked(std::string_view list) noexcept {
    const std::size_t last = list.rfind(',');
    if (last == std::string_view::npos || !equals_ignore_case(trimmed(list.substr(last + 1)), "chunked")) return false;
    for (std::string_view remaining = list.substr(0, last);;) {
        const std::size_t comma = remaining.find(',');
        const std::string_view coding = trimmed(remaining.substr(0, comma));
        if (!is_valid_token(coding) || equals_ignore_case(coding, "chunked")) return false;
        if (comma == std::string_view::npos) return true;
        remaining.remove_prefix(comma + 1);
    }
}

}  // namespace

std::expected<void, parse_error> request_fields::add_host(std::string_view value, slice value_slice) noexcept {
    if (has_host_ || !is_valid_authority(value)) return std::unexpected(parse_error::bad_host);
    has_host_ = true;
    host_ = value_slice;
    return {};
}

std::expected<void, parse_error> request_fields::add_content_length(std::string_view value) noexcept {
    const auto length = parse_content_length(value);
    if (has_content_length_ || !length) return std::unexpected(parse_error::bad_content_length);
    has_content_length_ = true;
    content_length_ = *length;
    return {};
}

std::expected<void, parse_error> request_fields::add_transfer_encoding(std::string_view value) noexcept {
    if (!chunked_ && equals_ignore_case(value, "chunked")) {
        chunked_ = true;
        return {};
    }
    // 501 for an unknown coding (RFC 9112 section 6.1), 400 when the last is not chunked (section 6.3).
    return std::unexpected(!chunked_ && other_codings_then_chunked(value) ? parse_error::unknown_transfer_coding
                                                                          : parse_error::bad_transfer_encoding);
}

void request_fields::add_connection(std::string_view list) noexcept {
    for (std::size_t begin = 0, i = 0;; ++i) {
        if (i != list.size() && list[i] != ',') continue;
        add_connection_token(trimmed(list.substr(begin, i - begin)));
        if (i == list.size()) return;
        begin = i + 1;
    }
}

void request_fields::add_connection_token(std::string_view token) noexcept {
    switch (token.size()) {
        case 5: close_ = close_ || equals_word(token, "close"); break;
        case 7: upgrade_token_ = upgrade_token_ || equals_word(token, "upgrade"); break;
        case 10: keep_alive_ = keep_alive_ || equals_word(token, "keep-alive"); break;
        default: break;
    }
}

void request_fields::add_expect(std::string_view value) noexcept {
    if (value.empty()) return;
    if (!equals_ignore_case(value, "100-continue")) {
        expect_ = expectation::unknown;
    } else if (expect_ == expectation::none) {
        expect_ = expectation::continue_100;
    }
}

std::expected<void, parse_error> request_fields::finish(request_head& head) const noexcept {
    const bool is_http11 = head.minor != 0;
    if (is_http11 && !has_host_) return std::unexpected(parse_error::bad_host);
    if (chunked_ && (has_content_length_ || !is_http11)) return std::unexpected(parse_error::bad_transfer_encoding);
    head.body = chunked_ ? framing::chunked : has_content_length_ ? framing::length : framing::none;
    head.content_length = content_length_;
    head.expect = is_http11 ? expect_ : expectation::none;
    head.keep_alive = !close_ && (is_http11 || keep_alive_);
    head.upgrade = is_http11 && upgrade_token_ && upgrade_field_;
    return {};
}

}  // namespace rondo::http::h1
