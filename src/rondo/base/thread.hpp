// SPDX-License-Identifier: Apache-2.0
// A named thread with the signal mask that the library requires.
#pragma once

#include <functional>
#include <string_view>
#include <thread>

namespace rondo {

/// A thread of the library. All threads are created with it (tools/check_text enforces this), so that they
///   - have a name, of which `ps -L` and stacks in the log show the first 15 bytes,
///   - block process-directed signals from their first instruction on, as a loop reads those,
///   - accept thread-directed signals: synchronous faults, those of profilers, and SIGURG, which captures stacks. The
///     stack of a thread that blocks SIGURG is missing in a dump.
/// As with std::thread, it must be joined or detached, and an exception from `body` terminates the program.
class named_thread {
public:
    named_thread() noexcept = default;
    /// Throws std::system_error when the thread cannot be created.
    named_thread(std::string_view name, std::move_only_function<void()> body);

    void join() { thread_.join(); }
    void detach() { thread_.detach(); }
    [[nodiscard]] bool joinable() const noexcept { return thread_.joinable(); }

private:
    std::thread thread_;
};

}  // namespace rondo
