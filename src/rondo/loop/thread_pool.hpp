// SPDX-License-Identifier: Apache-2.0
// Thread pools for blocking and for CPU-bound work.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <rondo/base/unavailable_error.hpp>
#include <rondo/coro/blocking_wait_scope.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

struct pool_options {
    std::string name = "pool";  ///< name of the threads; at most 15 bytes are used
    std::size_t threads = 1;
    std::size_t queue = 1024;          ///< jobs that may wait for a thread
    int nice = 0;                      ///< added to the nice value of the threads: 0 to 19
    bool refuse_past_deadline = true;  ///< reject jobs whose expected wait exceeds their deadline
};

/// Thrown by run() when the queue is full or the wait would exceed the deadline. Answer 503 with Retry-After.
class pool_full : public std::runtime_error, public unavailable_error {
public:
    pool_full(const std::string& text, std::chrono::seconds retry_after)
        : std::runtime_error(text), unavailable_error(retry_after) {}
};

/// Threads for work that must not run on a loop. Threads are started when first needed.
class thread_pool {
public:
    explicit thread_pool(pool_options options);
    /// Waits for running jobs. Queued jobs are not started (an orderly shutdown has none), and coroutines that await
    /// them wait forever. The loops that submitted jobs must still exist.
    ~thread_pool();
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// `co_await pool.run(f)`: calls `f()` on a thread of the pool and resumes on the loop with its result or
    /// exception. Never abandoned: when the context is cancelled, the await still waits for `f` to return, and throws
    /// `cancelled` if `f` was not called. Blocking functions of Rondo called by `f` end on the cancellation and at the
    /// deadline. Throws pool_full at once when the queue is full. Loop thread only.
    /// With GCC 12, name a lambda with a non-trivial capture: `auto f = [text] {...}; co_await pool.run(f);`. Within a
    /// co_await expression GCC 12 destroys such a capture twice.
    template <class F>
    [[nodiscard]] auto run(F f);

    /// A job of the pool.
    class job {
    public:
        virtual void run_on_thread() noexcept = 0;

    protected:
        ~job() = default;

    private:
        friend class thread_pool;
        job* next_ = nullptr;
    };
    /// Queues a job. Throws pool_full, also when the expected wait exceeds `deadline`. Any thread.
    void submit(job& j, instant deadline = instant::max());

    /// Removes a queued job; returns false when it is not in the queue. Any thread.
    bool remove(job& j) noexcept;

    [[nodiscard]] std::size_t waiting() const noexcept;  ///< queued jobs
    [[nodiscard]] std::size_t running() const noexcept;  ///< running jobs
    [[nodiscard]] std::size_t threads() const noexcept;  ///< started threads
    /// Returns how long all threads have been busy without starting another job; zero while a thread is free.
    [[nodiscard]] std::chrono::nanoseconds busy_for(instant now) const noexcept;
    [[nodiscard]] const pool_options& options() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

namespace detail {

template <class F>
class [[nodiscard]] pool_run final : thread_pool::job, posted_task {
    using result = std::invoke_result_t<F&>;
    using stored = std::conditional_t<std::is_void_v<result>, char, result>;

public:
    pool_run(thread_pool* pool, F f) : pool_(pool), function_(std::move(f)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        context_ = context_of(awaiting);
        if (context_) context_->token().check();
        if (!pool_) return run_inline(), false;
        waiter_.set_coroutine(awaiting, context_);
        loop_ = &event_loop::current();
        pool_->submit(*this, context_ ? context_->deadline : instant::max());
        return true;
    }
    result await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        if constexpr (!std::is_void_v<result>) return std::move(*value_);
    }

private:
    void call_function() {
        if (context_) context_->token().check();
        const blocking_scope scope(context_);
        if constexpr (std::is_void_v<result>) function_();
        else value_.emplace(function_());
    }
    void run_inline() noexcept {
        const event_loop::detach_scope detached;
        try {
            call_function();
        } catch (...) {
            failure_ = std::current_exception();
        }
    }
    void run_on_thread() noexcept override {
        try {
            call_function();
        } catch (...) {
            failure_ = std::current_exception();
        }
        loop_->post(static_cast<posted_task&>(*this));
    }
    void run_on_loop() noexcept override { waiter_.wake(); }

    thread_pool* pool_;
    F function_;
    ready_node waiter_;
    task_context* context_ = nullptr;
    event_loop* loop_ = nullptr;
    std::optional<stored> value_;
    std::exception_ptr failure_;
};

}  // namespace detail

template <class F>
auto thread_pool::run(F f) {
    return detail::pool_run<F>(this, std::move(f));
}

/// The same; without a pool, `f` is called on this thread, where it may block (see event_loop::detach_scope).
template <class F>
[[nodiscard]] auto run_on(thread_pool* pool, F f) {
    return detail::pool_run<F>(pool, std::move(f));
}

/// Runs `f` on the current loop's pool for blocking work (files, synchronous libraries), or on this thread when the
/// loop has none.
template <class F>
[[nodiscard]] auto run_blocking(F f) {
    return run_on(event_loop::current().blocking(), std::move(f));
}

/// Runs `f` on the current loop's pool for CPU-bound work, or on this thread when the loop has none.
template <class F>
[[nodiscard]] auto run_compute(F f) {
    return run_on(event_loop::current().compute(), std::move(f));
}

}  // namespace rondo
