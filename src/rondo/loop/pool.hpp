// SPDX-License-Identifier: Apache-2.0
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
#include <rondo/coro/blocking_scope.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

struct pool_options {
    std::string name = "pool";  ///< the threads' name, at most 15 bytes are used
    std::size_t threads = 1;
    std::size_t queue = 1024;  ///< jobs that may wait for a thread
    int nice = 0;              ///< added to the threads' nice value: 0 to 19
    bool refuses_late = true;  ///< a job whose expected wait passes its deadline is refused at once
};

/// Thrown by run() when the queue is full or the wait would pass the deadline. Answer 503 with Retry-After.
class pool_full : public std::runtime_error, public try_later {
public:
    pool_full(const std::string& text, std::chrono::seconds retry_after)
        : std::runtime_error(text), try_later(retry_after) {}
};

/// Threads for work that must not run on a loop. Threads start when first needed.
class thread_pool {
public:
    explicit thread_pool(pool_options options);
    /// Waits for the jobs that run; jobs that still wait are not started (there are none in an orderly shut-down), and
    /// who waits for them waits forever. The loops that jobs came from must still be there.
    ~thread_pool();
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    /// `co_await pool.run(f)`: calls `f()` on a thread of the pool and resumes on the loop with its result or
    /// exception. Never abandoned: when the context is cancelled meanwhile the await still waits for `f` to return,
    /// then throws `cancelled` if `f` had not begun; what `f` itself waits for with functions of Rondo that block ends
    /// early, and at the deadline. Throws pool_full at once when the queue is full. Loop thread only.
    /// A lambda that captures something with a destructor needs a name, `auto f = [text] {...}; co_await pool.run(f);`,
    /// where GCC 12 is used: within a co_await expression it destroys such a capture twice.
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
    /// Queues; throws pool_full. Any thread. `deadline`: when the expected wait passes it, pool_full is thrown at once.
    void submit(job& j, instant deadline = instant::max());

    /// Takes a job back that no thread has taken yet; false when it is not in the queue. Any thread.
    bool withdraw(job& j) noexcept;

    [[nodiscard]] std::size_t waiting() const noexcept;  ///< jobs queued
    [[nodiscard]] std::size_t running() const noexcept;  ///< jobs being run
    [[nodiscard]] std::size_t threads() const noexcept;  ///< threads started
    /// For how long all threads there may be have been at jobs without taking another one; zero while one is free.
    [[nodiscard]] std::chrono::nanoseconds held_for(instant now) const noexcept;
    [[nodiscard]] const pool_options& options() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

namespace detail {

template <class F>
class [[nodiscard]] pool_run final : thread_pool::job, posted {
    using result = std::invoke_result_t<F&>;
    using stored = std::conditional_t<std::is_void_v<result>, char, result>;

public:
    pool_run(thread_pool* pool, F f) : pool_(pool), function_(std::move(f)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> who) {
        context_ = context_of(who);
        if (context_) context_->token().check();
        if (!pool_) return run_here(), false;
        waiting_.hold(who, context_);
        loop_ = &event_loop::current();
        pool_->submit(*this, context_ ? context_->deadline : instant::max());
        return true;
    }
    result await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        if constexpr (!std::is_void_v<result>) return std::move(*value_);
    }

private:
    void on_thread() {
        if (context_) context_->token().check();
        const works_for whom(context_);
        if constexpr (std::is_void_v<result>) function_();
        else value_.emplace(function_());
    }
    void run_here() noexcept {
        const event_loop::stepping_aside aside;
        try {
            on_thread();
        } catch (...) {
            failure_ = std::current_exception();
        }
    }
    void run_on_thread() noexcept override {
        try {
            on_thread();
        } catch (...) {
            failure_ = std::current_exception();
        }
        loop_->post(static_cast<posted&>(*this));
    }
    void run_on_loop() noexcept override { waiting_.wake(); }

    thread_pool* pool_;
    F function_;
    ready_node waiting_;
    context* context_ = nullptr;
    event_loop* loop_ = nullptr;
    std::optional<stored> value_;
    std::exception_ptr failure_;
};

}  // namespace detail

template <class F>
auto thread_pool::run(F f) {
    return detail::pool_run<F>(this, std::move(f));
}

/// The same; without a pool `f` is called on this thread, which may block meanwhile (see event_loop::stepping_aside).
template <class F>
[[nodiscard]] auto run_on(thread_pool* pool, F f) {
    return detail::pool_run<F>(pool, std::move(f));
}

/// Runs `f` on the current loop's pool for blocking work (files, synchronous libraries); on this thread when the loop
/// has none.
template <class F>
[[nodiscard]] auto run_blocking(F f) {
    return run_on(event_loop::current().blocking(), std::move(f));
}

/// Runs `f` on the current loop's compute threads.
template <class F>
[[nodiscard]] auto run_compute(F f) {
    return run_on(event_loop::current().compute(), std::move(f));
}

}  // namespace rondo
