// SPDX-License-Identifier: Apache-2.0
// Non-blocking log output to files, pipes, terminals and sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo::log {

/// The destination of log lines: a file, pipe, terminal or socket. Writing never waits for the reader. Standard output
/// and standard error are shared with other processes, which O_NONBLOCK would affect too: a pipe or terminal is opened
/// a second time instead, or written to with splice() or poll() when that is not allowed. Used by one thread at a time.
class output {
public:
    enum class result : std::uint8_t {
        written,      ///< all of the text
        would_block,  ///< writing the rest would block
        failed,       ///< the rest cannot be written: the disk is full, the reader closed its end
    };

    /// STDOUT_FILENO or STDERR_FILENO; each write goes to the file it refers to then.
    static output standard_stream(int fd) noexcept;
    /// A file that was opened with O_NONBLOCK.
    explicit output(unique_fd file) noexcept;
    /// Every write fails.
    static output discarding() noexcept { return {unique_fd(), -1}; }

    /// Removes the written part from the front of `text`. Outputs shared with other processes receive whole lines, if
    /// not longer than PIPE_BUF.
    [[nodiscard]] result write(std::string_view& text) noexcept;
    /// Closes the file. Standard streams stay open.
    void close() noexcept { file_.reset(); }
    /// Waits until the output is writable, or for `timeout`.
    void wait_writable(std::chrono::milliseconds timeout) const noexcept;

private:
    output(unique_fd file, int standard) noexcept : file_(static_cast<unique_fd&&>(file)), standard_fd_(standard) {}

    unique_fd file_;
    int standard_fd_ = -1;
    bool shared_ = false;  // possibly shared with other processes: not a regular file
};

/// Opens the descriptors needed for standard output and standard error, which may be forbidden after privileges are
/// dropped. Otherwise done at the first write.
void prepare_standard_streams() noexcept;

/// Flushes the C standard streams, for use before a fork or at exit. Output that would block is discarded.
void flush_standard_streams() noexcept;

}  // namespace rondo::log
