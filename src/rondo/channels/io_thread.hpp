// SPDX-License-Identifier: Apache-2.0
// The I/O thread of channels and caches.
#pragma once

#include <functional>
#include <memory>

#include <rondo/loop/loop_thread.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::channels_detail {

/// The one thread of this process on which channels and caches talk to other processes. Started on first use, stopped
/// with its last user. Shared by views of all loops and threads, so that none waits for another's socket.
class io_thread {
public:
    /// The thread of this process; a forked child gets its own.
    [[nodiscard]] static std::shared_ptr<io_thread> shared();

    io_thread(const io_thread&) = delete;
    io_thread& operator=(const io_thread&) = delete;

    /// Its loop; only post() may be called from other threads.
    [[nodiscard]] event_loop& loop() noexcept { return thread_.loop(); }
    void post(std::move_only_function<void()> work);
    /// Runs `work` on the thread and waits until it returns. Must not be called on the thread itself.
    void run(std::move_only_function<void()> work);

private:
    io_thread();

    thread_pool blocking_;  // of the loop
    loop_thread thread_;
};

}  // namespace rondo::channels_detail
