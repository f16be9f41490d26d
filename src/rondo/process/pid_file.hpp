// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// A file with the number of this process, removed at the end by the process whose number it holds. It is locked for
/// writing (fcntl) while that process lives, where the file system can do that. Children do not have the lock, and a
/// program that is executed must take it again.
class pid_file {
public:
    pid_file() = default;
    /// Takes over a file that an earlier image of this process wrote, and locks it again.
    [[nodiscard]] static pid_file adopt(std::string path);
    ~pid_file() { remove(); }
    pid_file(const pid_file&) = delete;
    pid_file& operator=(const pid_file&) = delete;
    pid_file(pid_file&& other) noexcept;
    pid_file& operator=(pid_file&& other) noexcept;

    /// Writes it anew; one under another name is removed. Throws std::runtime_error with a sentence: not writable, or
    /// it is that of another process that runs: that process has locked it, or it executes the same program and has
    /// begun before the file was written. (What it executes may be hidden from other users; then the times decide.)
    void write(const std::string& path);
    /// Gives it another name; keeps the old one when that fails.
    void rename(const std::string& path) noexcept;
    void remove() noexcept;
    /// In a child: the file is its parent's, and no child writes there.
    void disown() noexcept;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    unique_fd locked_;
};

}  // namespace rondo::process
