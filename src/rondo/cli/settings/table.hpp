// SPDX-License-Identifier: Apache-2.0
// The table of settings: one row describes a setting to flags, environment, file, --help and reference.
// Implemented in table.cpp, sources.cpp, load_settings.cpp and help_text.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

class served;

/// How many values a setting has.
enum class row_shape : unsigned char {
    value,       ///< one value; the last one wins
    on_off,      ///< one value; optional when given as a flag
    list,        ///< several values, also separated by commas
    dictionary,  ///< several NAME=VALUE; a table in the file
};

/// One setting: everything that flags, environment, file, `check`, --help and the reference page need to know about it.
struct setting_row {
    std::string name;     ///< "header-timeout": --header-timeout, RONDO_HEADER_TIMEOUT, header-timeout in the file
    char short_flag = 0;  ///< 'b' for -b
    std::string type;     ///< "TIME"
    std::string help;
    std::string group;          ///< heading in --help and the reference
    std::string default_value;  ///< the default as text; "" for none
    std::string declared_at;    ///< of a setting of the application: "app.cpp:7"
    row_shape shape = row_shape::value;
    bool allowed_in_file = true;  ///< false for the setting that names the file
    bool is_secret = false;       ///< not printed by `check`, --help or messages

    /// Sets the value from all texts of one source, replacing the value of an earlier source. Throws
    /// std::invalid_argument with a message that contains the text and what is allowed.
    std::function<void(server_settings&, std::span<const std::string>)> parse;
    /// The value as text that parse() accepts.
    std::function<std::string(const server_settings&)> to_text;

    [[nodiscard]] std::string flag() const { return "--" + name; }
    /// "RONDO_HEADER_TIMEOUT"
    [[nodiscard]] std::string variable() const;
};

/// The settings of the framework, in the order of the reference page.
[[nodiscard]] const std::vector<setting_row>& framework_rows();
/// The settings of the framework, then those of the application. Throws std::invalid_argument when a name is used
/// twice.
[[nodiscard]] std::vector<setting_row> all_rows(served& application);

/// A value of this setting for display: "***" for a secret, and without passwords in URLs.
[[nodiscard]] std::string redacted_value(const setting_row& row, std::string_view text);

/// Null when no row has this name.
[[nodiscard]] const setting_row* find_row(std::span<const setting_row> rows, std::string_view name) noexcept;

}  // namespace rondo::cli
