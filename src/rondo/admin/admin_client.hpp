// SPDX-License-Identifier: Apache-2.0
// Reads the status of a running server from its admin listener.
#pragma once

#include <rondo/codec/json.hpp>
#include <rondo/net/listen.hpp>

namespace rondo::admin {

/// GET /status.json of the admin listener at this address. Blocks, for five seconds at most in each step. Not on
/// rondo::client: every program would load its TLS and compression libraries for this one request. Throws
/// std::runtime_error with a message for users.
[[nodiscard]] codec::json_value fetch_status(const net::bind_address& address);

}  // namespace rondo::admin
