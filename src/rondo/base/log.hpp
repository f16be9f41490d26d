// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace rondo::log {

enum class level : unsigned char { debug, info, warning, error, off };

/// Writes one line with time and level to standard error, or to where to() says. Any thread; never throws; does not
/// wait for a slow disk on the calling thread, nor anywhere for whoever reads a pipe, terminal or socket: when 8192
/// lines wait, further ones are dropped and counted, and the log says so. Control characters in `text` are escaped.
void write(level l, std::string_view text) noexcept;

inline void debug(std::string_view text) noexcept { write(level::debug, text); }
inline void info(std::string_view text) noexcept { write(level::info, text); }
inline void warning(std::string_view text) noexcept { write(level::warning, text); }
inline void error(std::string_view text) noexcept { write(level::error, text); }

/// Lines below `l` are dropped. The default is info.
void threshold(level l) noexcept;
[[nodiscard]] bool enabled(level l) noexcept;
/// "debug", "info", "warning", "error" or "off"; throws std::invalid_argument otherwise.
[[nodiscard]] level parse_level(std::string_view name);

/// Said in every line beside the number of the process: "worker 2". Empty: nothing.
void process_name(const std::string& name);
/// True: lines are written by the calling thread, and no thread is made. For a process that forks. What nobody takes at
/// the moment is tried again with the next line and by flush().
void on_calling_thread(bool on) noexcept;

/// Writes to a file (appended to) instead of standard error; "-" is standard error. Throws std::system_error. A file
/// that cannot be opened later, as in a child after a rotation, has its lines on standard error until reopen()
/// succeeds.
void to(const std::string& path);
/// Makes the file, if it is not there, as a log would be opened, and leaves nothing open. Throws std::system_error.
void make_file(const std::string& path);
/// Text (the default), or one JSON object per line: time, level, worker, pid, message.
void format(bool json);
/// Opens the file anew, after a rotation. Throws std::system_error; then the old file is kept.
void reopen();
/// Waits until everything written so far has reached its file; gives up when nobody has taken anything for `patience`.
void flush(std::chrono::milliseconds patience = std::chrono::seconds(1)) noexcept;
/// Lines that this process has lost: nobody read them, or the disk was full.
[[nodiscard]] unsigned long lost() noexcept;
/// A line on standard error as it is, for whoever started the program. Waits at most a second for who reads.
void say(std::string_view text) noexcept;

/// Whether a log must be open from its beginning.
enum class opening : bool { required, optional };

/// A stream of lines to one file, for access logs: write() never blocks on the disk; when the queue is full (8192
/// lines), or the disk is full, lines are dropped and counted, and the error log says so. What comes within 5 ms is
/// written together. The destructor and flush() wait for the file, but give up when it has taken nothing for a second.
class line_writer {
public:
    /// "-" is standard output. Throws std::system_error when `o` is required. Otherwise the error log says what is
    /// wrong, and lines are lost and counted until reopen() succeeds.
    explicit line_writer(const std::string& path, opening o = opening::required);
    ~line_writer();
    line_writer(const line_writer&) = delete;
    line_writer& operator=(const line_writer&) = delete;

    /// One line without its end. Any thread.
    void write(std::string_view line) noexcept;
    [[nodiscard]] unsigned long dropped() const noexcept;
    /// Lines from now on go to the file anew opened. Throws std::system_error; then the old file is kept.
    void reopen();
    void flush() noexcept;

private:
    struct state;
    state* state_;
};

}  // namespace rondo::log
