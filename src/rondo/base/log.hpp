// SPDX-License-Identifier: Apache-2.0
// The error log of the process, and line_writer for access logs.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace rondo::log {

enum class level : unsigned char { debug, info, warning, error, off };

/// Writes one line with time and level to standard error, or to the file of set_file(). Any thread; never throws. The
/// calling thread does not wait for a slow disk, and no thread waits for the reader of a pipe, terminal or socket: when
/// 8192 lines are queued, further ones are dropped and counted, which the log reports. Escapes control characters.
void write(level l, std::string_view text) noexcept;

inline void debug(std::string_view text) noexcept { write(level::debug, text); }
inline void info(std::string_view text) noexcept { write(level::info, text); }
inline void warning(std::string_view text) noexcept { write(level::warning, text); }
inline void error(std::string_view text) noexcept { write(level::error, text); }

/// Lines below `l` are dropped. The default is info.
void set_level(level l) noexcept;
[[nodiscard]] bool is_enabled(level l) noexcept;

/// Sets a name ("worker 2") that each line contains next to the process id. Empty: none.
void set_process_name(const std::string& name);
/// True: the calling thread writes the lines, and no thread is started. For a process that forks. Output that would
/// block is retried with the next line and by flush().
void set_synchronous(bool on) noexcept;

/// Appends to a file instead of standard error; "-" is standard error. Throws std::system_error. When the file cannot
/// be opened later, as in a child after a rotation, lines go to standard error until reopen() succeeds.
void set_file(const std::string& path);
/// Creates a log file if it does not exist, with the checks of opening one, and closes it. Throws std::system_error.
void create_file(const std::string& path);
/// True: one JSON object per line (time, level, worker, pid, message). Default: text.
void set_json(bool json);
/// Reopens the file after a rotation. Throws std::system_error; then the old file stays open.
void reopen();
/// Waits until all lines so far are written; gives up after `timeout` without progress.
void flush(std::chrono::milliseconds timeout = std::chrono::seconds(1)) noexcept;
/// Number of lines that this process has lost because the output was not read or the disk was full.
[[nodiscard]] unsigned long lost_lines() noexcept;
/// Prints a line to standard error without time and level, for the user at the terminal. Blocks for a second at most.
void print_to_standard_error(std::string_view text) noexcept;

/// Whether the file of a line_writer must be open from the start.
enum class open_policy : bool { required, optional };

/// Writes lines to one file, for access logs. write() never blocks on the disk: when the queue (8192 lines) or the disk
/// is full, lines are dropped and counted, which the error log reports. Lines that arrive within 5 ms are written
/// together. The destructor and flush() wait for the file, but give up after a second without progress.
class line_writer {
public:
    /// "-" is standard output. If the file cannot be opened, throws std::system_error when `o` is `required`; otherwise
    /// logs the error, and lines are dropped and counted until reopen() succeeds.
    explicit line_writer(const std::string& path, open_policy o = open_policy::required);
    ~line_writer();
    line_writer(const line_writer&) = delete;
    line_writer& operator=(const line_writer&) = delete;

    /// `line` has no line end. Any thread.
    void write(std::string_view line) noexcept;
    [[nodiscard]] unsigned long dropped_lines() const noexcept;
    /// Reopens the file; later lines go there. Throws std::system_error; then the old file stays open.
    void reopen();
    void flush() noexcept;

private:
    struct state;
    state* state_;
};

}  // namespace rondo::log
