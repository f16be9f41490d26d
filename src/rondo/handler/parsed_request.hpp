// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/handler/request.hpp>
#include <rondo/http/h1/parser.hpp>

namespace rondo::handler {

/// The request that a parsed head states, arrived now, without body, connection, context and memory: for who hands one
/// on without a connection of the server's. `bytes` is what was parsed; it must outlive the request.
[[nodiscard]] request request_of(const http::h1::request_head& head, const char* bytes);

}  // namespace rondo::handler
