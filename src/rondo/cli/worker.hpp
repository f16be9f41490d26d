// SPDX-License-Identifier: Apache-2.0
// Runs one process that serves requests, from start to shutdown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/process/current_child.hpp>

namespace rondo::cli {

class served;

/// Starts the application, serves until a signal and drains. `self` is this process as a child of the arbiter, null
/// without an arbiter; only then `admin` holds the sockets of the admin listener. With `access_log` optional it serves
/// even if that file cannot be opened. Returns the exit status; throws when the start fails.
[[nodiscard]] int run_worker(served& application, const server_settings& settings,
                             std::vector<net::listening_socket> sockets, process::child* self = nullptr,
                             std::vector<net::listening_socket> admin = {},
                             log::open_policy access_log = log::open_policy::required);

/// The message logged when an application has started.
[[nodiscard]] std::string startup_message(served& application, const server_settings& settings,
                                          const std::vector<std::string>& urls, std::string_view backend,
                                          std::string_view admin);

}  // namespace rondo::cli
