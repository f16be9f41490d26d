// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/base/thread.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

struct loop_thread_options {
    std::string name = "loop";  ///< the thread's name, at most 15 bytes are used
    loop_options loop{};
    thread_pool* blocking = nullptr;  ///< the loop's; must outlive the thread
};

/// A thread with a loop, as long as this lives: for work of threads that have none. No signal of the program is handled
/// there.
class loop_thread {
public:
    /// Throws std::system_error when there can be no thread or no loop.
    explicit loop_thread(loop_thread_options options);
    /// Stops the loop after its turn and waits for its end, which is that of all that lives on it.
    ~loop_thread();
    loop_thread(const loop_thread&) = delete;
    loop_thread& operator=(const loop_thread&) = delete;

    [[nodiscard]] event_loop& loop() noexcept { return *loop_; }

private:
    event_loop* loop_ = nullptr;
    named_thread thread_;
};

}  // namespace rondo
