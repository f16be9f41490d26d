// SPDX-License-Identifier: Apache-2.0
// Writes the head of an HTTP/1 request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/h1/response_writer.hpp>

namespace rondo::http::h1 {

/// The parts of a request head to write. The views must stay valid until it is written.
struct request_parts {
    std::string_view method;       ///< a token
    std::string_view target;       ///< in the form to send, without spaces and control bytes
    std::string_view host;         ///< the value of Host
    framing body = framing::none;  ///< `none` writes neither Content-Length nor Transfer-Encoding
    connection_option connection = connection_option::none;
    std::uint64_t content_length = 0;      ///< written when body is `length`
    const http::fields* fields = nullptr;  ///< further lines; must not repeat the ones above
};

/// Returns an upper bound of the bytes that write_request_head() writes.
[[nodiscard]] inline std::size_t request_size_bound(const request_parts& parts) noexcept {
    return 128 + parts.method.size() + parts.target.size() + parts.host.size() +
           (parts.fields == nullptr ? 0 : parts.fields->wire().size());
}

/// Writes the request line (HTTP/1.1), the fields with Host first (RFC 9110 section 7.2) and the blank line; returns
/// the end. `out` must have room for request_size_bound() bytes.
[[nodiscard]] char* write_request_head(char* out, const request_parts& parts) noexcept;

}  // namespace rondo::http::h1
