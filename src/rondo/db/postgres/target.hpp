// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rondo/db/postgres/connection.hpp>

namespace rondo::db::postgres {

/// Where to connect to, as libpq wants it, and for people.
struct target {
    connect_parameters parameters;
    std::string shown;
};

/// Throws std::invalid_argument with a sentence for a URL that libpq does not understand.
[[nodiscard]] target parse_target(const std::string& url);

/// Whether there is a host whose addresses must be asked for, which may block.
[[nodiscard]] bool needs_resolving(const connect_parameters& parameters);
/// The same with the addresses of its hosts; blocks. Nothing when one is unknown: then `message` says why.
[[nodiscard]] std::optional<connect_parameters> resolve(const connect_parameters& parameters, std::string& message);

}  // namespace rondo::db::postgres
