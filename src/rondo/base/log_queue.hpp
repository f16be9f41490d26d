// SPDX-License-Identifier: Apache-2.0
// A bounded queue of log lines, written by a background thread or by the pushing thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/base/log_output.hpp>

namespace rondo::log {

/// Queues lines for an output. push() never blocks: when 8192 lines, or 8 MiB, are queued, further ones are dropped and
/// counted, and so are lines that cannot be written at all. Thread-safe, except for the destructor.
class line_queue {
public:
    enum class write_mode : unsigned char {
        asynchronous,  ///< a background thread writes lines that arrive within 5 ms together
        prompt,        ///< a background thread writes each line as soon as it can
        synchronous,   ///< push() tries to write at once, and again with the next line or flush(): for a process that
                       ///< forks
    };
    /// Called when lines were lost, at most once in ten seconds, with the number since the last call and in total. The
    /// returned line is written to the output; empty: none. Runs on the writing thread.
    using loss_reporter = std::function<std::string(unsigned long lost, unsigned long total)>;

    line_queue(output target, write_mode mode, loss_reporter report);
    /// Flushes, then drops the remaining lines. A queue inherited over a fork drops them at once.
    ~line_queue();
    line_queue(const line_queue&) = delete;
    line_queue& operator=(const line_queue&) = delete;

    /// `line` has no line end.
    void push(std::string_view line) noexcept;
    [[nodiscard]] unsigned long dropped_lines() const noexcept;
    /// Later lines go to `target`, and so do queued ones that the old output does not accept.
    void set_output(output target);
    /// Waits until all lines pushed so far are written. Returns false after `timeout` without progress; sooner when the
    /// previous flush failed and there was no progress since.
    bool flush(std::chrono::milliseconds timeout) noexcept;
    /// True in a child that inherited the queue over a fork: it writes nothing there.
    [[nodiscard]] bool is_inherited() const noexcept;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace rondo::log
