// SPDX-License-Identifier: Apache-2.0
// Reads settings from a configuration file in TOML.
#pragma once

#include <span>
#include <string>

#include <rondo/cli/settings/sources.hpp>

namespace rondo::cli {

/// Reads a TOML file: `name = value`, with '-' or '_' in names, arrays for lists and tables for dictionaries.
/// Errors are returned in the result.
[[nodiscard]] setting_source read_config_file(const std::string& path, std::span<const setting_row> rows);

}  // namespace rondo::cli
