// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::server {

class view_threads;
class thread_request;

/// A thread that serves one request after the other, with the small loop that coroutines run on there.
class view_thread final : posted, event_loop::wait_hook {
public:
    explicit view_thread(view_threads& owner);
    ~view_thread();

    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    /// Set when the server drains; for requests that run here.
    [[nodiscard]] event& draining() noexcept { return draining_; }

    /// The request that hears the knocks; null for none. On the thread.
    void serving(thread_request* current) noexcept;
    /// Lets the request look for news, as soon as the loop turns. Any thread, while a request is being served here.
    void knock() noexcept;

private:
    void run_on_loop() noexcept override;
    void before_wait() noexcept override;

    view_threads& owner_;
    event_loop loop_;
    event draining_;
    thread_request* current_ = nullptr;
    std::atomic<bool> knocked_{false};
};

/// The threads of a thread_worker.
class view_threads {
public:
    view_threads(const pool_options& options, thread_pool* compute);
    /// Waits for the requests that are served.
    ~view_threads();

    [[nodiscard]] thread_pool& pool() noexcept { return pool_; }
    [[nodiscard]] const thread_pool& pool() const noexcept { return pool_; }

    /// The calling thread, one of this pool's. Throws std::system_error when it cannot have a loop.
    [[nodiscard]] view_thread& here();

    /// From now on the requests on the threads learn when `draining` is set. On its loop; may be called often. Whoever
    /// sets it must outlive the requests, not this.
    void follow(event& draining);

private:
    friend class view_thread;
    [[nodiscard]] task<void> tell_of_drain(event& draining);

    thread_pool* compute_;
    std::mutex mutex_;
    std::vector<view_thread*> all_;
    std::atomic<bool> draining_{false};
    event* followed_ = nullptr;
    context watching_in_;
    task<void> watching_;
    thread_pool pool_;
};

}  // namespace rondo::server
