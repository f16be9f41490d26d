// SPDX-License-Identifier: Apache-2.0
/// The settings whose values are no plain number, duration or word. For setting_table.cpp.
#pragma once

#include <string>

#include <rondo/cli/settings/row.hpp>

namespace rondo::cli {

[[nodiscard]] setting_row bind_row();
[[nodiscard]] setting_row inherited_row();
[[nodiscard]] setting_row admin_row();
[[nodiscard]] setting_row umask_row();
[[nodiscard]] setting_row compute_workers_row();
[[nodiscard]] setting_row access_format_row();

/// Permissions, octal.
[[nodiscard]] setting_row mode_row(std::string name, std::string help, unsigned& (*member)(settings&));
/// A user, a group that exist, USER:GROUP; by name or number.
[[nodiscard]] setting_row user_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row group_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row owner_row(std::string name, std::string help, std::string& (*member)(settings&));
/// A folder that exists.
[[nodiscard]] setting_row folder_row(std::string name, std::string help, std::string& (*member)(settings&));
[[nodiscard]] setting_row allow_row(std::string name, std::string help, http::allow_list& (*member)(settings&));
[[nodiscard]] setting_row compute_threads_row();

/// As bind_address::parse() takes it.
[[nodiscard]] std::string address_text(const net::bind_address& at);

}  // namespace rondo::cli
