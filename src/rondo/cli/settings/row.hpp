// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// What the texts of a setting become.
enum class row_shape : unsigned char {
    value,       ///< one text; of several the last counts
    on_off,      ///< the same; as a flag it needs no value
    list,        ///< several, also separated by commas
    dictionary,  ///< several NAME=TEXT; a table in the file
};

/// One row of the table of settings: everything that flags, environment, file, `check`, --help and the reference of
/// the documentation need to know of a setting.
struct setting_row {
    std::string name;  ///< "header-timeout": --header-timeout, RONDO_HEADER_TIMEOUT, header-timeout in the file
    char letter = 0;   ///< 'b' for -b
    std::string type;  ///< "TIME"
    std::string help;
    std::string group;     ///< heading in --help and the reference
    std::string standard;  ///< the default as text, "" for none
    row_shape shape = row_shape::value;
    bool in_file = true;  ///< false for what says where the file is
    bool secret = false;  ///< `check`, --help and messages do not print it

    /// Sets the value from all texts of one source; of what an earlier source said nothing is left. Throws
    /// std::invalid_argument with a sentence that shows the text and says what is allowed.
    std::function<void(settings&, std::span<const std::string>)> read;
    /// The value as text, as read() takes it.
    std::function<std::string(const settings&)> show;

    [[nodiscard]] std::string flag() const { return "--" + name; }
    /// "RONDO_HEADER_TIMEOUT"
    [[nodiscard]] std::string variable() const;
};

/// The settings of the framework, in the order of the reference. The one list of them.
[[nodiscard]] const std::vector<setting_row>& framework_rows();
/// Those and what the application declared. Throws std::invalid_argument with a sentence when a name is used twice.
[[nodiscard]] std::vector<setting_row> rows_of(const app& application);

/// A text of this setting, or its value, for people: nothing of a secret one, no password in any.
[[nodiscard]] std::string without_secrets(const setting_row& row, std::string_view text);

/// Null when there is none.
[[nodiscard]] const setting_row* find_row(std::span<const setting_row> rows, std::string_view name) noexcept;

}  // namespace rondo::cli
