// SPDX-License-Identifier: Apache-2.0
// Runs a command that the application declared with app.command().
#pragma once

#include <rondo/cli/settings/settings.hpp>
#include <rondo/web/command.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// Runs a command of the application in this process, on a loop with thread pools. Runs the start and stop hooks around
/// it unless the command opted out. Returns the result of the command; rethrows its exceptions.
int run_command(app& application, const detail::declared_command& command, command_arguments arguments,
                const server_settings& settings);

}  // namespace rondo::cli
