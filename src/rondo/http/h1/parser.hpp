// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/method.hpp>

namespace rondo::http::h1 {

struct parse_limits {
    std::uint32_t request_line = 8192;   ///< bytes of the request line without its CRLF
    std::uint32_t fields_bytes = 32768;  ///< bytes of all field lines together, CRLFs and the blank line included
    std::uint32_t fields = 100;          ///< field lines
};

/// How the end of the request's body is found (RFC 9112 section 6.3). `none`: there is no body.
enum class framing : std::uint8_t { none, length, chunked };

/// The form of the request target (RFC 9112 section 3.2).
enum class target_form : std::uint8_t { origin, absolute, authority, asterisk };

/// What the Expect field asks for. It is always `none` for HTTP/1.0 (RFC 9110 section 10.1.1).
enum class expectation : std::uint8_t { none, continue_100, unknown /* answer 417 */ };

/// The result of parsing. All offsets count from the first byte given to the parser, so the bytes may be copied.
struct request_head {
    std::uint32_t size;  ///< bytes of the head: skipped leading CRLFs and the blank line at its end included
    slice method_text;   ///< the token, also for method::other
    slice target;        ///< as received
    slice authority;  ///< host[:port]: of the target in absolute and authority form, else of Host; may be empty for 1.0
    slice path;       ///< still percent-encoded; at least "/" ("*" in asterisk form, empty in authority form)
    slice query;      ///< still percent-encoded, without its '?'
    std::uint64_t content_length;  ///< 0 unless body is `length`
    http::method method;
    std::uint8_t minor;  ///< HTTP/1.minor: 0 or 1 (a higher one counts as 1)
    target_form form;
    framing body;
    expectation expect;
    bool has_query;               ///< tells "/?" from "/"
    bool keep_alive;              ///< the client wants the connection kept: version and Connection together
    bool upgrade;                 ///< HTTP/1.1 with Upgrade and `Connection: upgrade`
    std::span<field_ref> fields;  ///< the used part of the storage

    [[nodiscard]] fields_view view(const char* base) const noexcept { return {base, fields}; }
};

enum class parse_error : std::uint8_t {
    incomplete,  ///< no error yet: call again with more bytes
    bad_line_end,
    bad_method,
    bad_target,
    bad_version,
    bad_field_name,
    bad_field_value,
    bad_host,
    bad_content_length,
    bad_transfer_encoding,
    uri_too_long,
    fields_too_large,
    version_not_supported,
    unknown_transfer_coding,
    bad_status,            ///< responses only
    status_line_too_long,  ///< responses only
};

/// The status to answer a request with: 400, 414, 431, 501 or 505; 0 for `incomplete`. The connection is to be closed
/// after it.
[[nodiscard]] int status_of(parse_error) noexcept;
/// A short lower-case phrase for logs.
[[nodiscard]] std::string_view to_string(parse_error) noexcept;

/// Parses the head of a request, strictly after RFC 9112: CRLF only, no obs-fold, one valid Host, one framing.
/// `bytes` is everything received since the last message ended; nothing is kept between calls, so a call after
/// `incomplete` starts anew. An error is final: more bytes never change it. Up to two leading CRLFs are skipped.
/// `storage` takes the fields: limits.fields refs, or fewer (its size is then the limit). At most 2^31 bytes are looked
/// at. Does not allocate. `out` is fully written on success and unspecified otherwise.
[[nodiscard]] std::expected<void, parse_error> parse_request_head(std::string_view bytes, const parse_limits& limits,
                                                                  std::span<field_ref> storage,
                                                                  request_head& out) noexcept;

}  // namespace rondo::http::h1
