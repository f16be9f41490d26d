// SPDX-License-Identifier: Apache-2.0
// Runs a command of the application that is not built in.
#pragma once

#include <rondo/cli/settings/settings.hpp>
#include <rondo/coro/task.hpp>

namespace rondo::cli {

class served;

/// Runs a command of the application in this process, on a loop with thread pools. Returns its result; rethrows its
/// exceptions.
[[nodiscard]] int run_command(served& application, const server_settings& settings, task<int> command);

}  // namespace rondo::cli
