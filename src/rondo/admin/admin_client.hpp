// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/codec/json.hpp>
#include <rondo/net/address.hpp>

namespace rondo::admin {

/// What GET /status.json of the admin listener at this address says. Blocks, five seconds at most for each step. Throws
/// std::runtime_error with a sentence.
[[nodiscard]] codec::json_value ask_admin(const net::bind_address& at);

}  // namespace rondo::admin
