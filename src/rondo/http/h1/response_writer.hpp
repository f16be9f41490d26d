// SPDX-License-Identifier: Apache-2.0
// Writes the head of an HTTP/1 response and the framing of chunked bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/status.hpp>

namespace rondo::http::h1 {

/// The value of the Connection field. HTTP/1.1 connections persist by default, so `none` is usual; HTTP/1.0 needs
/// `keep_alive`.
enum class connection_option : std::uint8_t { none, close, keep_alive, upgrade };

/// The parts of a response head to write. The views must stay valid until it is written.
struct response_parts {
    http::status code = http::status::ok;
    framing body = framing::none;  ///< `none` writes neither Content-Length nor Transfer-Encoding
    connection_option connection = connection_option::none;
    std::uint64_t content_length = 0;      ///< written when body is `length`
    std::string_view date;                 ///< IMF-fixdate, 29 bytes; empty: no Date field
    std::string_view content_type;         ///< empty: no Content-Type field; must be a valid field value
    const http::fields* fields = nullptr;  ///< further lines; must not repeat the ones above
    std::string_view reason{};             ///< reason phrase, a valid field value; empty: the standard one
};

/// Returns an upper bound of the bytes that write_response_head() touches: more than it writes, as it copies blocks.
[[nodiscard]] inline std::size_t response_size_bound(const response_parts& head) noexcept {
    return 256 + head.reason.size() + head.content_type.size() +
           (head.fields == nullptr ? 0 : head.fields->wire().size());
}

/// Writes the status line, the fields and the blank line, and returns the end. `out` must have room for
/// response_size_bound() bytes. The version is always HTTP/1.1 (RFC 9110 section 2.5). `code` must be from 100 to 599.
[[nodiscard]] char* write_response_head(char* out, const response_parts& head) noexcept;

inline constexpr std::size_t max_decimal_size = 20;
/// Writes the number without leading zeros and returns the end; touches at most max_decimal_size bytes.
[[nodiscard]] char* write_decimal(char* out, std::uint64_t number) noexcept;

inline constexpr std::size_t max_chunk_header_size = 18;
/// Writes the size line of a chunk of `size` > 0 bytes, CRLF included, and returns the end.
[[nodiscard]] char* write_chunk_header(char* out, std::uint64_t size) noexcept;

inline constexpr std::string_view chunk_end = "\r\n";
/// Ends a chunked body without trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
/// Ends a chunked body whose trailers follow, terminated by a blank line.
inline constexpr std::string_view last_chunk_header = "0\r\n";
/// The interim response to `Expect: 100-continue`.
inline constexpr std::string_view continue_head = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace rondo::http::h1
