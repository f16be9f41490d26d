// SPDX-License-Identifier: Apache-2.0
// The threads that serve requests for the threads and sync workers, each with a small event loop.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::server {

class view_thread_pool;
class thread_request;

/// The state of a thread that serves one request after the other, with the small event loop for its coroutines.
class view_thread final : posted_task, event_loop::wait_hook {
public:
    explicit view_thread(view_thread_pool& owner);
    ~view_thread();

    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    /// Set when the server drains; used by requests on this thread.
    [[nodiscard]] event& draining() noexcept { return draining_; }

    /// Sets the request that wake() notifies; null: none. Called on the thread.
    void set_current(thread_request* current) noexcept;
    /// Makes the current request check for updates in the next loop turn. Any thread, while a request is being served.
    void wake() noexcept;

private:
    void run_on_loop() noexcept override;
    void before_wait() noexcept override;

    view_thread_pool& owner_;
    event_loop loop_;
    event draining_;
    thread_request* current_ = nullptr;
    std::atomic<bool> woken_{false};
};

/// The threads of a thread_worker.
class view_thread_pool {
public:
    view_thread_pool(const pool_options& options, thread_pool* compute);
    /// Waits for the requests being served.
    ~view_thread_pool();

    [[nodiscard]] thread_pool& pool() noexcept { return pool_; }
    [[nodiscard]] const thread_pool& pool() const noexcept { return pool_; }

    /// The calling thread, which must belong to this pool. Throws std::system_error when its loop cannot be created.
    [[nodiscard]] view_thread& current_thread();

    /// Forwards `draining` to the requests on the threads once it is set. Called on its loop; repeated calls are cheap.
    /// The event must outlive the requests, but not this pool.
    void watch_drain(event& draining);

private:
    friend class view_thread;
    [[nodiscard]] task<void> forward_drain(event& draining);

    thread_pool* compute_;
    std::mutex mutex_;
    std::vector<view_thread*> threads_;
    std::atomic<bool> draining_{false};
    event* watched_drain_ = nullptr;
    task_context drain_watcher_context_;
    task<void> drain_watcher_;
    thread_pool pool_;
};

}  // namespace rondo::server
