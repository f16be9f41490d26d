// SPDX-License-Identifier: Apache-2.0
// Rows of the settings table whose values need a parser of their own.
#pragma once

#include <string>

#include <rondo/cli/settings/table.hpp>

namespace rondo::cli {

[[nodiscard]] setting_row bind_row();
[[nodiscard]] setting_row inherited_row();
[[nodiscard]] setting_row admin_row();
[[nodiscard]] setting_row umask_row();
[[nodiscard]] setting_row compute_workers_row();
[[nodiscard]] setting_row access_format_row();

/// File permissions, octal.
[[nodiscard]] setting_row mode_row(std::string name, std::string help, unsigned& (*member)(settings&));
/// An existing user, an existing group, and USER:GROUP; each by name or number.
[[nodiscard]] setting_row user_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row group_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row owner_row(std::string name, std::string help, std::string& (*member)(settings&));
/// An existing directory.
[[nodiscard]] setting_row folder_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row allow_row(std::string name, std::string help, http::allow_list& (*member)(settings&));
[[nodiscard]] setting_row compute_threads_row();

/// The address in the format that bind_address::parse() accepts.
[[nodiscard]] std::string address_text(const net::bind_address& address);

}  // namespace rondo::cli
