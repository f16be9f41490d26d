// SPDX-License-Identifier: Apache-2.0
// The `serve` command: serves the application until a signal stops it.
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

class served;

/// Serves until a signal stops it. Returns the exit status. Throws when the start fails.
int serve(served& application, const server_settings& settings);

}  // namespace rondo::cli
