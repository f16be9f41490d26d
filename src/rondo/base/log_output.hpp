// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo::log {

/// Where lines end up: a file, a pipe, a terminal, a socket. Writing never waits for who reads there. Standard output
/// and standard error are shared with other processes, which an O_NONBLOCK on them would reach too: a pipe or a
/// terminal is opened once more instead; where that is not allowed, other ways are found. Used by one thread at a time.
class output {
public:
    enum class result : std::uint8_t {
        written,  ///< all of it
        full,     ///< nobody takes the rest at the moment
        lost,     ///< the rest cannot be written: the disk is full, the reader is gone
    };

    /// STDOUT_FILENO or STDERR_FILENO, whatever file that is at the time of each write.
    static output standard(int fd) noexcept;
    /// A file that was opened with O_NONBLOCK.
    explicit output(unique_fd file) noexcept;
    /// Loses everything.
    static output none() noexcept { return {unique_fd(), -1}; }

    /// Takes what is written off the front of `text`. What several processes may write to gets whole lines as far as
    /// they are no longer than PIPE_BUF.
    [[nodiscard]] result write(std::string_view& text) noexcept;
    /// Nothing more is written. Standard streams stay open.
    void close() noexcept { file_.reset(); }
    /// Waits until more may be taken, at most so long.
    void wait(std::chrono::milliseconds limit) const noexcept;

private:
    output(unique_fd file, int standard) noexcept : file_(static_cast<unique_fd&&>(file)), standard_(standard) {}

    unique_fd file_;
    int standard_ = -1;
    bool shared_ = false;  // with other processes, perhaps: not a regular file
};

/// Opens what standard output and standard error need, which a process that has given up its rights may not be allowed
/// to. Also done at the first write.
void prepare_standard_outputs() noexcept;

/// Writes what the standard streams hold, as before a fork or at the end, when that does not wait for who reads; what
/// it would have to wait with is forgotten.
void flush_standard_streams() noexcept;

}  // namespace rondo::log
