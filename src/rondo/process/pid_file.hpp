// SPDX-License-Identifier: Apache-2.0
// The PID file: written and locked by the running server, removed on shutdown.
#pragma once

#include <string>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// A PID file, removed by the process whose PID it holds. While that process runs it holds an fcntl write lock on the
/// file, where the file system supports it. Children do not inherit the lock; after exec it must be acquired again.
class pid_file {
public:
    pid_file() = default;
    /// Takes over a file written by an earlier image of this process and locks it again.
    [[nodiscard]] static pid_file adopt(std::string path);
    ~pid_file() { remove(); }
    pid_file(const pid_file&) = delete;
    pid_file& operator=(const pid_file&) = delete;
    pid_file(pid_file&& other) noexcept;
    pid_file& operator=(pid_file&& other) noexcept;

    /// Writes the file; a file at another path is removed. Throws std::runtime_error with a message for users when it
    /// is not writable or belongs to another running process: one that has locked it, or that executes the same program
    /// and started before the file was written. (If its program is hidden from this user, only the times are compared.)
    void write(const std::string& path);
    /// Renames the file; keeps the old name on failure.
    void rename(const std::string& path) noexcept;
    void remove() noexcept;
    /// Called in a child: the file belongs to the parent and must not be removed.
    void disown() noexcept;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
    unique_fd locked_;
};

}  // namespace rondo::process
