// SPDX-License-Identifier: Apache-2.0
// The `status` command: prints the state of a running server.
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// Prints the status reported by the admin listener of the running server, once or, with `watch`, every second until
/// interrupted. Throws with a user-facing message when no admin listener is set or it does not respond.
[[nodiscard]] int print_status(const server_settings& settings, bool watch);

}  // namespace rondo::cli
