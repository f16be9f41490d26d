// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rondo::process {

/// A file with the number of this process, removed at the end by the process whose number it holds.
class pid_file {
public:
    pid_file() = default;
    /// Takes over a file that an earlier image of this process wrote.
    [[nodiscard]] static pid_file adopt(std::string path);
    ~pid_file() { remove(); }
    pid_file(const pid_file&) = delete;
    pid_file& operator=(const pid_file&) = delete;
    pid_file(pid_file&& other) noexcept;
    pid_file& operator=(pid_file&& other) noexcept;

    /// Writes it anew; one under another name is removed. Throws std::runtime_error with a sentence: not writable, or
    /// it holds the number of another process that runs and has begun before the file was written.
    void write(const std::string& path);
    /// Gives it another name; keeps the old one when that fails.
    void rename(const std::string& path) noexcept;
    void remove() noexcept;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

}  // namespace rondo::process
