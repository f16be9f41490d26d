// SPDX-License-Identifier: Apache-2.0
// The folder that /static/ of the testbed serves.
#pragma once

#include <string>

namespace testbed {

/// The folder that /static/ serves: the one named by TESTBED_STATIC, or a temporary one with the files that tests
/// expect, which is removed with this object.
class static_files {
public:
    /// Throws std::runtime_error.
    static_files();
    ~static_files();
    static_files(const static_files&) = delete;
    static_files& operator=(const static_files&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    bool temporary_ = false;
};

}  // namespace testbed
