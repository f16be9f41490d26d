// SPDX-License-Identifier: Apache-2.0
// Runs a task on another event loop, awaited by a coroutine or by a blocking thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <exception>
#include <utility>

#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace detail {

/// A task that runs on a loop while another thread waits for its end. The two communicate through posted tasks only.
class remote_run : public completion_handler {
public:
    explicit remote_run(event_loop& loop) noexcept : loop_(loop) {}
    remote_run(const remote_run&) = delete;
    remote_run& operator=(const remote_run&) = delete;
    virtual ~remote_run() = default;

    /// Called by the waiting thread. Between start() and completed() everything else belongs to the loop.
    void start(instant deadline);
    void cancel(cancel_reason reason) noexcept;

protected:
    /// Called on the loop, as the last access to this object, when the task has ended and nothing else of it is posted.
    virtual void completed() noexcept = 0;
    virtual std::coroutine_handle<> prepare(completion_handler* handler, task_context& in) noexcept = 0;

private:
    template <void (remote_run::*Step)() noexcept>
    struct step final : posted_task {
        explicit step(remote_run& o) noexcept : owner(o) {}
        void run_on_loop() noexcept override { (owner.*Step)(); }
        remote_run& owner;
    };

    void run() noexcept;
    void cancel_on_loop() noexcept;
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept final;
    void finish_step() noexcept;

    event_loop& loop_;
    task_context context_;
    step<&remote_run::run> start_step_{*this};
    step<&remote_run::cancel_on_loop> cancel_step_{*this};
    step<&remote_run::finish_step> end_step_{*this};
    cancel_reason reason_ = cancel_reason::none;
    std::atomic<int> pending_on_loop_{0};  // the task and a posted cancellation
};

template <class T>
class remote_task : public remote_run {
public:
    remote_task(event_loop& loop, task<T> t) noexcept : remote_run(loop), task_(std::move(t)) {}
    T take() { return task_.coroutine().promise().take(); }

protected:
    std::coroutine_handle<> prepare(completion_handler* handler, task_context& in) noexcept final {
        auto coroutine = task_.coroutine();
        coroutine.promise().set_context(&in);
        coroutine.promise().set_completion_handler(handler);
        return coroutine;
    }

private:
    task<T> task_;
};

/// The awaitable for coroutines on a loop.
template <class T>
class [[nodiscard]] run_on_awaiter {
    class call final : public remote_task<T> {
    public:
        call(event_loop& loop, task<T> t)
            : remote_task<T>(loop, std::move(t)),
              origin_loop_(event_loop::current()),
              parent_callback_(*this),
              return_step_(*this) {}
        void wait(std::coroutine_handle<> awaiting, task_context* in) {
            waiter_.set_coroutine(awaiting, in);
            if (in) in->cancel.add(parent_callback_);
            this->start(in ? in->deadline : instant::max());
        }
        /// The awaiting coroutine was destroyed: this object deletes itself when the task has ended.
        void abandon() noexcept {
            parent_callback_.unlink();
            waiter_.clear_coroutine();
            if (returned_) delete this;
            else this->cancel(cancel_reason::requested);
        }

    private:
        struct parent_callback final : cancel_callback {
            explicit parent_callback(call& c) noexcept
                : cancel_callback([](cancel_callback& self, cancel_reason r) noexcept {
                      static_cast<parent_callback&>(self).owner.cancel(r);
                  }),
                  owner(c) {}
            call& owner;
        };
        struct return_step final : posted_task {
            explicit return_step(call& c) noexcept : owner(c) {}
            void run_on_loop() noexcept override { owner.on_return(); }
            call& owner;
        };

        void completed() noexcept override { origin_loop_.post(return_step_); }
        void on_return() noexcept {
            parent_callback_.unlink();
            if (!waiter_.has_coroutine()) return delete this;
            returned_ = true;
            waiter_.wake();
        }

        event_loop& origin_loop_;
        ready_node waiter_;
        bool returned_ = false;
        parent_callback parent_callback_;
        return_step return_step_;
    };

public:
    run_on_awaiter(event_loop& loop, task<T> t) : call_(new call(loop, std::move(t))) {}
    run_on_awaiter(const run_on_awaiter&) = delete;
    run_on_awaiter& operator=(const run_on_awaiter&) = delete;
    ~run_on_awaiter() {
        if (waiting_) call_->abandon();
        else delete call_;
    }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) {
        task_context* in = context_of(awaiting);
        if (in) in->token().check();
        waiting_ = true;
        call_->wait(awaiting, in);
    }
    T await_resume() {
        waiting_ = false;
        return call_->take();
    }

private:
    call* call_;
    bool waiting_ = false;
};

/// The call of a thread that may block.
template <class T>
class blocking_call final : public remote_task<T> {
public:
    using remote_task<T>::remote_task;
    T wait(instant deadline) {
        wait_.check();
        this->start(std::min(deadline, wait_.deadline()));
        auto reason = cancel_reason::none;
        try {
            if (!wait_.wait(deadline)) reason = cancel_reason::deadline;
        } catch (const cancelled& c) {
            reason = c.reason;
        }
        if (reason != cancel_reason::none) {
            this->cancel(reason);
            wait_.wait_uninterrupted();
        }
        return this->take();
    }

private:
    void completed() noexcept override { wait_.complete(); }

    blocking_wait wait_;
};

}  // namespace detail

/// `co_await run_on(loop, task)`: runs the task on another loop, which must run until the task has ended, and resumes
/// on this loop with its result or exception. The deadline and a cancellation of the awaiting context are passed to the
/// task, which is always awaited to its end. Objects that the task uses must be safe to use on that loop's thread. Must
/// be awaited on a loop.
template <class T>
[[nodiscard]] detail::run_on_awaiter<T> run_on(event_loop& loop, task<T> t) {
    return detail::run_on_awaiter<T>(loop, std::move(t));
}

/// The same for a thread that may block; throws synchronous_only on a loop thread. The task is cancelled at the
/// deadline, and when an enclosing blocking_scope of the thread is cancelled.
template <class T>
T run_on_and_wait(event_loop& loop, task<T> t, instant deadline = instant::max()) {
    require_blocking_allowed("run_on_and_wait");
    detail::blocking_call<T> call(loop, std::move(t));
    return call.wait(deadline);
}

}  // namespace rondo
