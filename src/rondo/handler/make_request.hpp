// SPDX-License-Identifier: Apache-2.0
// Makes a request from a parsed HTTP/1 request head.
#pragma once

#include <rondo/handler/request.hpp>
#include <rondo/http/h1/request_parser.hpp>

namespace rondo::handler {

/// Returns a request with the content of a parsed head and the current time of arrival, but without body, connection,
/// context and memory, for use without a server connection. `bytes` is the parsed text and must outlive the request.
[[nodiscard]] request make_request(const http::h1::request_head& head, const char* bytes);

}  // namespace rondo::handler
