// SPDX-License-Identifier: Apache-2.0
// Renders the settings table as text: --help, the Markdown reference and the output of `check`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <rondo/cli/settings/load_settings.hpp>

namespace rondo::cli {

/// The output of --help: usage, commands and every setting.
[[nodiscard]] std::string help_text(std::string_view program, const served& application,
                                    std::span<const command_info> commands, std::span<const setting_row> rows);
/// The settings reference in Markdown: one table per group.
[[nodiscard]] std::string reference_text(std::span<const setting_row> rows);
/// One line per setting: its name, value and origin.
[[nodiscard]] std::string effective_text(const command_line& line);

}  // namespace rondo::cli
