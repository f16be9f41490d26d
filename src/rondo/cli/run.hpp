// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rondo {

class app;

/// The command line of an application: what `main` returns.
///
///     serve    serves it (the default): addresses, limits, time-outs, threads, logs
///     routes   prints every route with its methods and the kind of its view
///     check    looks for mistakes without serving: routes, settings; prints the settings with where each comes from
///     settings prints the reference of all settings
///     version  prints the version of Rondo
///
/// and what app.command() added. `--help` tells the rest. Returns the exit status: 0 after an orderly end, 1 when
/// serving failed, 2 for a wrong command line, 3 when the workers did not get ready. SIGTERM lets the requests under
/// way finish (--graceful-timeout), SIGINT and SIGQUIT do not.
int run(app& application, int argc, const char* const* argv);

}  // namespace rondo
