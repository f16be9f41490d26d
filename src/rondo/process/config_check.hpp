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
class config_check {
public:
    /// `prepare` is called in the new process, which exits when it throws. Throws std::system_error.
    config_check(const executable& program, const std::function<void()>& prepare, instant deadline);
    ~config_check();
    config_check(const config_check&) = delete;
    config_check& operator=(const config_check&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    /// Readable when there is output.
    [[nodiscard]] int output_fd() const noexcept { return output_.value(); }
    void read_output();
    /// Kills the check. Called when its deadline has passed.
    void on_timeout() noexcept;
    /// Called in a process forked during the check: its copy must not kill the check.
    void disown() noexcept { pid_ = -1; }
    /// Handles the result of waitpid(). Returns true when the check succeeded.
    [[nodiscard]] bool on_exit(int status);
    /// Why the check failed, followed by its output.
    [[nodiscard]] const std::string& error_message() const noexcept { return error_message_; }

private:
    pid_t pid_ = -1;
    instant deadline_;
    unique_fd output_;
    std::string captured_output_;
    std::string error_message_;
};

}  // namespace rondo::process
