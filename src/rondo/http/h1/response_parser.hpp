// SPDX-License-Identifier: Apache-2.0
// Parses the head of an HTTP/1 response.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/method.hpp>
#include <rondo/http/status.hpp>

namespace rondo::http::h1 {

/// How the end of a response body is determined (RFC 9112 section 6.3).
enum class response_framing : std::uint8_t {
    none,         ///< no body: response to HEAD, 1xx, 204, 304
    length,       ///< Content-Length
    chunked,      ///< Transfer-Encoding: chunked
    until_close,  ///< the body ends when the connection closes
    tunnel,       ///< 2xx to CONNECT, 101: what follows is not HTTP/1.1
};

/// A parsed response head. All offsets are relative to the first byte passed to the parser.
struct received_head {
    std::uint32_t size;            ///< bytes of the head, including the blank line
    slice reason;                  ///< may be empty
    std::uint64_t content_length;  ///< 0 unless body is `length`; without a body, the field's value
    http::status code;             ///< 100 to 999
    std::uint8_t minor;            ///< HTTP/1.minor: 0 or 1 (a higher one counts as 1)
    response_framing body;
    bool has_content_length;
    bool keep_alive;              ///< the connection persists after this response; never with `until_close`
    std::span<field_ref> fields;  ///< the used part of the storage

    [[nodiscard]] fields_view view(const char* base) const noexcept { return {base, fields}; }
    /// True for an interim response, 100 to 199: another head follows. Not for 101, which ends HTTP/1.1.
    [[nodiscard]] bool is_interim() const noexcept {
        return to_int(code) < 200 && code != http::status::switching_protocols;
    }
};

/// Parses the head of a response to a request with `method`, strictly by RFC 9112: CRLF only, no obs-fold, one framing
/// (Content-Length together with Transfer-Encoding, a second or invalid Content-Length and codings other than chunked
/// are errors). One exception: the space before an empty reason phrase may be missing. No state is kept, so a call
/// after `incomplete` starts over; an error is final. Limits as for parse_request_head() (request_line applies to the
/// status line). Does not allocate. `out` is fully written on success and unspecified otherwise.
[[nodiscard]] std::expected<void, parse_error> parse_response_head(std::string_view bytes, http::method method,
                                                                   const parse_limits& limits,
                                                                   std::span<field_ref> storage,
                                                                   received_head& out) noexcept;

}  // namespace rondo::http::h1
