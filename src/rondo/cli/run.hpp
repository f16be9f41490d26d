// SPDX-License-Identifier: Apache-2.0
// Runs an application from its command line: the function that main() calls.
#pragma once

namespace rondo {

class app;

/// Parses the command line, runs a command and returns the exit status for `main` to return. Commands:
///
///     serve    serves the application (the default)
///     routes   prints every route with its methods and the kind of its view
///     check    validates routes and settings without serving; prints the settings with the origin of each
///     status   prints the state of a running server
///     settings prints the reference of all settings
///     version  prints the version of Rondo
///
/// and those added with app.command(); see `--help`. Exit status: 0 after an orderly shutdown, 1 when serving failed, 2
/// for an invalid command line, 3 when the workers did not become ready. SIGTERM waits for requests in flight
/// (--graceful-timeout), SIGINT and SIGQUIT do not.
int run(app& application, int argc, const char* const* argv);

}  // namespace rondo
