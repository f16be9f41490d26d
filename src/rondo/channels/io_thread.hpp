// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include <rondo/loop/loop_thread.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::channels_detail {

/// The thread of this process on which channels and caches talk to other processes: one, started when first needed,
/// ended with its last user. Views of any loop and of any thread use what lives on it, and none of them waits for
/// another's socket.
class io_thread {
public:
    /// The process's. After a fork the child gets its own.
    [[nodiscard]] static std::shared_ptr<io_thread> shared();

    io_thread(const io_thread&) = delete;
    io_thread& operator=(const io_thread&) = delete;

    /// Its loop; everything but post() on its thread.
    [[nodiscard]] event_loop& loop() noexcept { return thread_.loop(); }
    void post(std::move_only_function<void()> work);
    /// Runs `work` on the thread and waits for its end. Never from the thread itself.
    void run(std::move_only_function<void()> work);

private:
    io_thread();

    thread_pool blocking_;  // of the loop
    loop_thread thread_;
};

}  // namespace rondo::channels_detail
