// SPDX-License-Identifier: Apache-2.0
// The event loop.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/timer.hpp>

namespace rondo {

class thread_pool;

struct loop_options {
    backend_kind backend = backend_kind::automatic;
};

/// Work posted to a loop by another thread. Must stay valid until it has run.
class posted_task {
public:
    virtual void run_on_loop() noexcept = 0;

protected:
    ~posted_task() = default;

private:
    friend class event_loop;
    posted_task* next_ = nullptr;
};

/// Counters of a loop. Written by the loop's thread, read by any thread.
struct loop_counters {
    std::atomic<std::uint64_t> turns{0};
    std::atomic<std::int64_t> busy_ns{0};        ///< time spent outside of waits
    std::atomic<std::int64_t> turn_start_ns{0};  ///< clock::now() in nanoseconds; 0 during a wait
    std::atomic<std::int64_t> longest_turn_ns{0};
    std::atomic<std::uint64_t> stalls{0};
};

/// An event loop; at most one per thread. Everything but post(), wake() and stop() is called on its thread. One turn,
/// in this order: due timers, work posted by other threads, ready coroutines, the wait for I/O, handling of I/O.
class event_loop final : backend::turn_watcher {
public:
    /// Throws std::system_error when a system call fails, std::invalid_argument when a forced backend is not available.
    explicit event_loop(const loop_options& options = {});
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    /// Returns the loop of this thread; throws std::logic_error when there is none.
    [[nodiscard]] static event_loop& current();
    [[nodiscard]] static event_loop* current_or_null() noexcept;

    /// Runs turns until stop(), on the thread that created the loop. Throws synchronous_only when the loop is already
    /// running, like run_until().
    void run();
    /// Runs until the task has ended, regardless of stop(), and returns its result. The task runs in `in`, or in a new
    /// context.
    template <class T>
    T run_until(task<T> t, task_context* in = nullptr);
    /// Makes run() return after this turn, or the next run() immediately. Any thread.
    void stop() noexcept;
    /// Interrupts the wait. Any thread; async-signal-safe.
    void wake() noexcept { backend_->wake(); }

    /// The time at which this turn's event handling started; cheaper than clock::now().
    [[nodiscard]] instant now() const noexcept { return now_; }

    /// Runs `work` on the loop's thread soon. Any thread; the work may destroy the loop, which waits for this call to
    /// return. The second form allocates.
    void post(posted_task& work) noexcept;
    void post(std::move_only_function<void()> work);

    /// `co_await loop.sleep(100ms)`; throws `cancelled`. A zero or negative duration yields until the next turn.
    [[nodiscard]] sleep_awaiter sleep(clock::duration d) noexcept {
        return sleep_awaiter(timers_, d.count() > 0 ? from_now(d) : instant::min());
    }
    [[nodiscard]] sleep_awaiter sleep_until(instant at) noexcept { return sleep_awaiter(timers_, at); }

    [[nodiscard]] timer_wheel& timers() noexcept { return timers_; }
    [[nodiscard]] backend& io() noexcept { return *backend_; }
    [[nodiscard]] loop_counters& counters() noexcept { return counters_; }

    /// Sets the pools for blocking and for CPU-bound work. Null: such work runs on this thread.
    void use_pools(thread_pool* blocking, thread_pool* compute) noexcept {
        blocking_ = blocking;
        compute_ = compute;
    }
    [[nodiscard]] thread_pool* blocking() const noexcept { return blocking_; }
    [[nodiscard]] thread_pool* compute() const noexcept { return compute_; }

    /// The activity of the loop's thread; see coro/ready_queue.hpp.
    [[nodiscard]] thread_activity& activity() noexcept { return activity_; }

    /// Runs `work` soon, directly from the loop and after the coroutines that are ready now: to destroy an object from
    /// its own backend callback, or one that a woken coroutine still uses. In unspecified order.
    void defer(posted_task& work) noexcept;
    /// Runs all deferred work at once; for the destruction of its owner.
    void run_deferred() noexcept;

    /// Detaches the calling thread from its loop for the lifetime of this object: it may block and even run another
    /// loop. For work that runs within a turn of a loop without pools.
    class detach_scope {
    public:
        detach_scope() noexcept;
        ~detach_scope();
        detach_scope(const detach_scope&) = delete;
        detach_scope& operator=(const detach_scope&) = delete;

    private:
        event_loop* loop_;
        scoped_allow_blocking allow_blocking_;
        ready_queue::nested_queue nested_queue_;
    };

    /// Called in each turn before the loop waits: to send corked output.
    class wait_hook : public list_node {
    public:
        virtual void before_wait() noexcept = 0;

    protected:
        ~wait_hook() = default;
    };
    void add(wait_hook& hook) noexcept { wait_hooks_.push_back(hook); }

    /// Called in a turn right before the loop blocks in the kernel, after the wait hooks: to give back a lock
    /// (Python's).
    class block_hook {
    public:
        /// Returns how long the loop may wait: at most `wait`, which is not 0 (negative: without limit). Its own time
        /// counts as waiting. Must not wake coroutines.
        virtual std::chrono::nanoseconds before_block(std::chrono::nanoseconds wait) noexcept = 0;

    protected:
        ~block_hook() = default;
    };
    /// Null: none.
    void set_block_hook(block_hook* hook) noexcept { block_hook_ = hook; }

    /// Lets another event loop of this thread (asyncio's) drive this one: its owner calls turn() instead of run().
    /// While it exists, coroutines woken between turns resume in the next turn, and run(), run_until() and blocking
    /// calls throw synchronous_only. The time between turns counts as part of a turn in counters().
    class embedding {
    public:
        /// On the thread that created the loop. Throws synchronous_only when the loop is already running.
        explicit embedding(event_loop& loop);
        ~embedding();
        embedding(const embedding&) = delete;
        embedding& operator=(const embedding&) = delete;

        /// Runs one turn that waits for at most `wait` (negative: without limit). Not from within a turn. Work for the
        /// other loop that the turn's timers and coroutines create can shorten the wait with a block_hook.
        void turn(std::chrono::nanoseconds wait);
        /// Calls the wait hooks, which send the output of the last turn, when the next turn may be late.
        void flush() noexcept;
        /// The other loop may wait now: until the next turn, this loop does not count as blocked.
        void set_idle() noexcept;
        /// How long the next turn may wait; negative: without limit.
        [[nodiscard]] std::chrono::nanoseconds timeout() noexcept;

    private:
        event_loop& loop_;
        ready_queue::runner runner_;
        scoped_disallow_blocking no_blocking_;
    };

    /// In the child of a fork() that does not use the loop: closes the loop's own descriptors, so that they do not
    /// outlive the parent there, and nothing else. The parent's loop is not affected. Afterwards the loop and
    /// everything that uses it must be left alone: not called, not destroyed. Async-signal-safe.
    void abandon_after_fork() noexcept;

    /// For objects that belong to a loop and are destroyed with it (idle connections): called once when the loop is
    /// destroyed, on its thread, while I/O still works. It may destroy itself and other hooks.
    class end_hook : public list_node {
    public:
        virtual void on_loop_end() noexcept = 0;

    protected:
        ~end_hook() = default;
    };
    void add(end_hook& hook) noexcept { end_hooks_.push_back(hook); }

private:
    void on_wait_end() noexcept override;
    void turn(const std::atomic<bool>& done);
    [[nodiscard]] std::chrono::nanoseconds prepare_wait() noexcept;
    void wait(std::chrono::nanoseconds limit);
    void run_pending() noexcept;
    void count_turn() noexcept;
    void run_posted() noexcept;
    void run_fenced() noexcept;
    [[nodiscard]] std::chrono::nanoseconds wait_timeout() noexcept;
    void turn_until(const std::atomic<bool>& done, std::coroutine_handle<> start, const task_context* in);

    std::unique_ptr<backend> backend_;
    ready_queue& ready_;
    thread_activity& activity_;
    instant now_;
    timer_wheel timers_;
    intrusive_list<wait_hook> wait_hooks_;
    intrusive_list<end_hook> end_hooks_;
    block_hook* block_hook_ = nullptr;
    posted_task* deferred_ = nullptr;
    posted_task* fenced_ = nullptr;  // deferred until fence_ has left the ready queue
    ready_node fence_;
    loop_counters counters_;
    thread_pool* blocking_ = nullptr;
    thread_pool* compute_ = nullptr;
    alignas(64) std::atomic<posted_task*> inbox_{nullptr};
    std::atomic<bool> waiting_{false};
    std::atomic<int> callers_{0};  // threads within post() and stop()
    std::atomic<bool> stopping_{false};
};

/// Sleeps on the current loop: `co_await rondo::sleep(1s)`.
[[nodiscard]] inline sleep_awaiter sleep(clock::duration d) { return event_loop::current().sleep(d); }

namespace detail {

class run_until_completion final : public completion_handler {
public:
    std::atomic<bool> done{false};
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override {
        done.store(true, std::memory_order_relaxed);
        return std::noop_coroutine();
    }
};

}  // namespace detail

template <class T>
T event_loop::run_until(task<T> t, task_context* in) {
    task_context own;
    detail::run_until_completion end;
    auto coroutine = t.coroutine();
    coroutine.promise().set_context(in ? in : &own);
    coroutine.promise().set_completion_handler(&end);
    turn_until(end.done, coroutine, in ? in : &own);
    return coroutine.promise().take();
}

}  // namespace rondo
