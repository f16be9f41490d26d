// SPDX-License-Identifier: Apache-2.0
// Validates settings against the application and the system without serving.
#pragma once

#include <string>
#include <vector>

#include <rondo/cli/settings/load_settings.hpp>

namespace rondo::cli {

/// Returns a message for each problem that would prevent a start with these settings: conflicting routes, addresses,
/// log files. Changes nothing. An address that is in use is added to `in_use` instead, since a running server may use
/// it.
[[nodiscard]] std::vector<std::string> validate(served& application, const server_settings& settings,
                                                std::vector<std::string>& in_use);

}  // namespace rondo::cli
