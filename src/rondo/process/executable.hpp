// SPDX-License-Identifier: Apache-2.0
// The program of this process: path, arguments and working directory, for executing it again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rondo::process {

/// How this process was started. Executing it again uses the same path, which may have been replaced by another file.
class executable {
public:
    /// Reads /proc. Call before the working directory changes. A name without a slash is searched in PATH; a working
    /// directory reached through a symbolic link (PWD) is kept as such.
    [[nodiscard]] static executable current();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }
    [[nodiscard]] const std::string& working_directory() const noexcept { return working_directory_; }

    /// Changes to the original working directory and executes the file with the arguments and the current environment.
    /// Returns only on failure, with the errno, after changing to the directory `fallback` unless that is empty.
    [[nodiscard]] int execute(const std::string& fallback = {}) const noexcept;

private:
    std::string path_;
    std::string working_directory_;
    std::vector<std::string> arguments_;
};

}  // namespace rondo::process
