// SPDX-License-Identifier: Apache-2.0
// Rows of the settings table whose values need a parser of their own.
#pragma once

#include <string>

#include <rondo/cli/settings/table.hpp>

namespace rondo::cli {

[[nodiscard]] setting_row bind_row();
[[nodiscard]] setting_row fd_row();
[[nodiscard]] setting_row admin_row();
[[nodiscard]] setting_row umask_row();
[[nodiscard]] setting_row compute_workers_row();
[[nodiscard]] setting_row access_format_row();

/// File permissions, octal.
[[nodiscard]] setting_row mode_row(std::string name, std::string help, unsigned& (*member)(server_settings&));
/// An existing user, an existing group, and USER:GROUP; each by name or number.
[[nodiscard]] setting_row user_row(std::string name, std::string help, std::string& (*member)(server_settings&));
[[nodiscard]] setting_row group_row(std::string name, std::string help, std::string& (*member)(server_settings&));
[[nodiscard]] setting_row owner_row(std::string name, std::string help, std::string& (*member)(server_settings&));
/// An existing directory.
[[nodiscard]] setting_row directory_row(std::string name, std::string help, std::string& (*member)(server_settings&));
[[nodiscard]] setting_row allow_row(std::string name, std::string help, http::allow_list& (*member)(server_settings&));
[[nodiscard]] setting_row compute_threads_row();

}  // namespace rondo::cli
