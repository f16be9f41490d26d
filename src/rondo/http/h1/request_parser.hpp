// SPDX-License-Identifier: Apache-2.0
// Parses the head of an HTTP/1 request.
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
    std::uint32_t fields_bytes = 32768;  ///< bytes of all field lines, including CRLFs and the blank line
    std::uint32_t fields = 100;          ///< field lines
};

/// How the end of the request body is determined (RFC 9112 section 6.3). `none`: there is no body.
enum class framing : std::uint8_t { none, length, chunked };

/// The form of the request target (RFC 9112 section 3.2).
enum class target_form : std::uint8_t { origin, absolute, authority, asterisk };

/// The value of the Expect field. Always `none` for HTTP/1.0 (RFC 9110 section 10.1.1).
enum class expectation : std::uint8_t { none, continue_100, unknown /* respond 417 */ };

/// A parsed request head. All offsets are relative to the first byte passed to the parser, so the bytes may be copied.
struct request_head {
    std::uint32_t size;  ///< bytes of the head, including skipped leading CRLFs and the final blank line
    slice method_text;   ///< the token, also for method::other
    slice target;        ///< as received
    slice authority;  ///< host[:port], from the target in absolute and authority form, else Host; may be empty for 1.0
    slice path;       ///< percent-encoded; at least "/" ("*" in asterisk form, empty in authority form)
    slice query;      ///< percent-encoded, without its '?'
    std::uint64_t content_length;  ///< 0 unless body is `length`
    http::method method;
    std::uint8_t minor;  ///< HTTP/1.minor: 0 or 1 (a higher one counts as 1)
    target_form form;
    framing body;
    expectation expect;
    bool has_query;               ///< distinguishes "/?" from "/"
    bool keep_alive;              ///< whether the connection persists, by version and Connection
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

/// Returns the status to respond with: 400, 414, 431, 501 or 505; 0 for `incomplete`. Close the connection after the
/// response.
[[nodiscard]] int status_for(parse_error) noexcept;
/// Returns a short lower-case phrase for logs.
[[nodiscard]] std::string_view to_string(parse_error) noexcept;

/// Parses the head of a request strictly by RFC 9112: CRLF only, no obs-fold, one valid Host, one framing.
/// `bytes` is everything received since the end of the last message; no state is kept, so a call after `incomplete`
/// starts over. An error is final: more bytes never change it. Skips up to two leading CRLFs. Stores the fields in
/// `storage`, at most limits.fields or its size if that is less. Reads at most 2^31 bytes. Does not allocate. `out` is
/// fully written on success and unspecified otherwise.
[[nodiscard]] std::expected<void, parse_error> parse_request_head(std::string_view bytes, const parse_limits& limits,
                                                                  std::span<field_ref> storage,
                                                                  request_head& out) noexcept;

}  // namespace rondo::http::h1
