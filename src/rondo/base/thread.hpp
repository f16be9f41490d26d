// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <thread>

namespace rondo {

/// A thread of the library. There is no other way to make one (tools/check_text sees to it), so that all of them
///   - have a name, which `ps -L` and the stacks in the log show (its first 15 bytes),
///   - block, from their first instruction on, the signals that are for the whole process: a loop reads those,
///   - take the signals that are for a thread: those of its own mistakes, the profilers' and SIGURG, by which stacks
///   are
///     taken. A thread that blocks that one is missing when the stacks of a process are wanted.
/// As with std::thread, it has to be joined or detached, and what `body` throws ends the program.
class named_thread {
public:
    named_thread() noexcept = default;
    /// Throws std::system_error when no thread can be made.
    named_thread(std::string_view name, std::move_only_function<void()> body);

    void join() { thread_.join(); }
    void detach() { thread_.detach(); }
    [[nodiscard]] bool joinable() const noexcept { return thread_.joinable(); }

private:
    std::thread thread_;
};

}  // namespace rondo
