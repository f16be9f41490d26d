// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <rondo/cli/settings/command_line.hpp>

namespace rondo::cli {

/// What would hinder a start with these settings, beyond what reading them showed: routes that are alike, addresses,
/// log files. One sentence each. Looks without changing anything; an address that is in use is no mistake, because the
/// server that runs already uses it: such addresses are added to `in_use`.
[[nodiscard]] std::vector<std::string> find_mistakes(app& application, const settings& chosen,
                                                     std::vector<std::string>& in_use);

}  // namespace rondo::cli
