// SPDX-License-Identifier: Apache-2.0
// A thread that runs an event loop.
#pragma once

#include <string>

#include <rondo/base/thread.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

struct loop_thread_options {
    std::string name = "loop";  ///< name of the thread; at most 15 bytes are used
    loop_options loop{};
    thread_pool* blocking = nullptr;  ///< the loop's pool; must outlive the thread
};

/// A thread that runs a loop for the lifetime of this object: for the work of threads without a loop. Handles none of
/// the process's signals.
class loop_thread {
public:
    /// Throws std::system_error when the thread or the loop cannot be created.
    explicit loop_thread(loop_thread_options options);
    /// Stops the loop after its current turn and waits for the thread. Destroys everything that belongs to the loop.
    ~loop_thread();
    loop_thread(const loop_thread&) = delete;
    loop_thread& operator=(const loop_thread&) = delete;

    [[nodiscard]] event_loop& loop() noexcept { return *loop_; }

private:
    event_loop* loop_ = nullptr;
    named_thread thread_;
};

}  // namespace rondo
