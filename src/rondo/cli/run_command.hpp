// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/cli/settings/settings.hpp>
#include <rondo/web/command.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// Runs a command of the application in this process: on a loop with its pools, between the start and the end of the
/// application unless the command wants neither. Returns what the command returns; throws what it throws.
int run_command(app& application, const detail::declared_command& command, command_arguments words,
                const settings& chosen);

}  // namespace rondo::cli
