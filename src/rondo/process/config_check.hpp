// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <sys/types.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/process/executable.hpp>

namespace rondo::process {

/// The program executed in a process of its own, to see whether it would start. Its output is collected.
class rehearsal {
public:
    /// `prepare` is called in the new process, which ends when it throws. Throws std::system_error.
    rehearsal(const executable& program, const std::function<void()>& prepare, instant until);
    ~rehearsal();
    rehearsal(const rehearsal&) = delete;
    rehearsal& operator=(const rehearsal&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] instant until() const noexcept { return until_; }
    /// Readable when it says something.
    [[nodiscard]] int output_fd() const noexcept { return output_.value(); }
    void read_output();
    /// It takes too long.
    void give_up() noexcept;
    /// In a process that was forked meanwhile: it is not its affair.
    void disown() noexcept { pid_ = -1; }
    /// waitpid() gave this for it: whether it went well.
    [[nodiscard]] bool ended(int status);
    /// What went wrong.
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

private:
    pid_t pid_ = -1;
    instant until_;
    unique_fd output_;
    std::string said_;
    std::string complaint_;
};

}  // namespace rondo::process
