// SPDX-License-Identifier: Apache-2.0
// Test run of the program before a reload, in a process of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <sys/types.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/process/executable.hpp>

namespace rondo::process {

/// Executes the program in a child process to check that it would start, and collects its output.
class rehearsal {
public:
    /// `prepare` is called in the new process, which exits when it throws. Throws std::system_error.
    rehearsal(const executable& program, const std::function<void()>& prepare, instant until);
    ~rehearsal();
    rehearsal(const rehearsal&) = delete;
    rehearsal& operator=(const rehearsal&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] instant until() const noexcept { return until_; }
    /// Readable when there is output.
    [[nodiscard]] int output_fd() const noexcept { return output_.value(); }
    void read_output();
    /// Kills the check. Called when its deadline has passed.
    void give_up() noexcept;
    /// Called in a process forked during the check: its copy must not kill the check.
    void disown() noexcept { pid_ = -1; }
    /// Handles the result of waitpid(). Returns true when the check succeeded.
    [[nodiscard]] bool ended(int status);
    /// Why the check failed, followed by its output.
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

private:
    pid_t pid_ = -1;
    instant until_;
    unique_fd output_;
    std::string said_;
    std::string complaint_;
};

}  // namespace rondo::process
