// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/net/address.hpp>
#include <rondo/process/child.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// The life of one process that serves: made, started, serving until a signal, drained. `as` is the child of the
/// arbiter that this process is, null without an arbiter; then `admin` is where operators ask. With `access_log`
/// optional it also serves while that file cannot be opened. Returns the exit status; throws what hinders the start.
[[nodiscard]] int work(app& application, const settings& chosen, std::vector<net::listening_socket> sockets,
                       process::child* as = nullptr, std::vector<net::listening_socket> admin = {},
                       log::opening access_log = log::opening::required);

/// What is logged when an application serves.
[[nodiscard]] std::string start_text(app& application, const settings& chosen, const std::vector<std::string>& urls,
                                     std::string_view backend, std::string_view admin);

}  // namespace rondo::cli
