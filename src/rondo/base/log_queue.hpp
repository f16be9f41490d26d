// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/base/log_output.hpp>

namespace rondo::log {

/// Lines on their way to an output. push() never waits: at most 8192 lines, or 8 MiB, wait for who reads; further ones
/// are dropped and counted, and so are those that cannot be written at all. Any thread, but for the destructor.
class line_queue {
public:
    enum class writer : bool {
        own_thread,  ///< what comes within 5 ms is written together
        caller,  ///< each line is tried at once, what waits with the next one or by flush(): for a process that forks
    };
    /// Told when lines were lost, at most once in ten seconds: how many since it was told last, and in all. What it
    /// returns is written to the output; empty when it has told elsewhere. On the thread that writes.
    using telling = std::function<std::string(unsigned long lost, unsigned long total)>;

    line_queue(output to, writer by, telling tell);
    /// As flush(), then what still waits is lost. What a fork took over from its parent is left alone.
    ~line_queue();
    line_queue(const line_queue&) = delete;
    line_queue& operator=(const line_queue&) = delete;

    /// One line without its end.
    void push(std::string_view line) noexcept;
    [[nodiscard]] unsigned long dropped() const noexcept;
    /// Lines from now on go to this output; those before too, as far as the old one does not take them.
    void change(output to);
    /// Waits until everything pushed so far is written. Gives up when nothing moved for `patience`, soon when that was
    /// so the last time and still is. False when it did.
    bool flush(std::chrono::milliseconds patience) noexcept;
    /// A fork has taken this over from its parent: nothing is written any more.
    [[nodiscard]] bool of_parent() const noexcept;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace rondo::log
