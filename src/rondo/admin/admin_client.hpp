// SPDX-License-Identifier: Apache-2.0
// Client of the admin listener, for the `status` command.
#pragma once

#include <rondo/client/options.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/net/listen.hpp>

namespace rondo {
class client;
}

namespace rondo::admin {

/// Options of a client for an admin listener: at most five seconds per step.
[[nodiscard]] client_options admin_client_options();

/// Returns the response to GET /status.json of the admin listener at this address. Blocks. Throws std::runtime_error
/// with a user-facing message.
[[nodiscard]] codec::json_value fetch_status(client& http, const net::bind_address& address);

}  // namespace rondo::admin
