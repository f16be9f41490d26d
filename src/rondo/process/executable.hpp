// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rondo::process {

/// How this process was started, so that it can be started again: by the same name, which may meanwhile stand for
/// another file.
class executable {
public:
    /// Reads it from /proc. To be called before the working directory changes. A name without a slash is looked for
    /// in PATH; a working directory that was reached over a symbolic link (PWD) is kept as such.
    [[nodiscard]] static executable of_this_process();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }
    [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

    /// Goes to the folder it was started in and executes the file with the arguments and the environment of now.
    /// Returns only when that fails, with the errno; then it is in `stay` again.
    [[nodiscard]] int execute(const std::string& stay = {}) const noexcept;

private:
    std::string path_;
    std::string folder_;
    std::vector<std::string> arguments_;
};

}  // namespace rondo::process
