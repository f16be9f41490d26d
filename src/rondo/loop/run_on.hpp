// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <exception>
#include <utility>

#include <rondo/coro/blocking.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace detail {

/// A task that runs on one loop while another thread waits for its end. The two meet in posted work only.
class remote_run : public task_end {
public:
    explicit remote_run(event_loop& at) noexcept : at_(at) {}
    remote_run(const remote_run&) = delete;
    remote_run& operator=(const remote_run&) = delete;
    virtual ~remote_run() = default;

    /// The waiting thread. After start(), until told() was called, everything else belongs to the loop.
    void start(instant deadline);
    void cancel(cancel_reason reason) noexcept;

protected:
    /// The task has ended and nothing else of this is on the loop; called there, as the last thing.
    virtual void told() noexcept = 0;
    virtual std::coroutine_handle<> begin(task_end* end, context& in) noexcept = 0;

private:
    template <void (remote_run::*Step)() noexcept>
    struct step final : posted {
        explicit step(remote_run& o) noexcept : owner(o) {}
        void run_on_loop() noexcept override { (owner.*Step)(); }
        remote_run& owner;
    };

    void run() noexcept;
    void cancel_here() noexcept;
    std::coroutine_handle<> ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept final;
    void settle() noexcept;

    event_loop& at_;
    context context_;
    step<&remote_run::run> starting_{*this};
    step<&remote_run::cancel_here> cancelling_{*this};
    step<&remote_run::settle> ending_{*this};
    cancel_reason reason_ = cancel_reason::none;
    std::atomic<int> on_loop_{0};  // the task, and a cancellation on its way
};

template <class T>
class remote_task : public remote_run {
public:
    remote_task(event_loop& at, task<T> t) noexcept : remote_run(at), task_(std::move(t)) {}
    T take() { return task_.coroutine().promise().take(); }

protected:
    std::coroutine_handle<> begin(task_end* end, context& in) noexcept final {
        auto coroutine = task_.coroutine();
        coroutine.promise().run_in(&in);
        coroutine.promise().end_at(end);
        return coroutine;
    }

private:
    task<T> task_;
};

/// Awaited on a loop.
template <class T>
class [[nodiscard]] run_on_awaiter {
    class call final : public remote_task<T> {
    public:
        call(event_loop& at, task<T> t)
            : remote_task<T>(at, std::move(t)), back_(event_loop::current()), link_(*this), return_(*this) {}
        void wait(std::coroutine_handle<> who, context* in) {
            waiting_.hold(who, in);
            if (in) in->cancel.add(link_);
            this->start(in ? in->deadline : instant::max());
        }
        /// Nobody waits any more: this destroys itself when the task has ended.
        void abandon() noexcept {
            link_.unlink();
            waiting_.release();
            if (returned_) delete this;
            else this->cancel(cancel_reason::requested);
        }

    private:
        struct link final : cancel_callback {
            explicit link(call& c) noexcept
                : cancel_callback([](cancel_callback& self, cancel_reason r) noexcept {
                      static_cast<link&>(self).owner.cancel(r);
                  }),
                  owner(c) {}
            call& owner;
        };
        struct returning final : posted {
            explicit returning(call& c) noexcept : owner(c) {}
            void run_on_loop() noexcept override { owner.go_on(); }
            call& owner;
        };

        void told() noexcept override { back_.post(return_); }
        void go_on() noexcept {
            link_.unlink();
            if (!waiting_.holds()) return delete this;
            returned_ = true;
            waiting_.wake();
        }

        event_loop& back_;
        ready_node waiting_;
        bool returned_ = false;
        link link_;
        returning return_;
    };

public:
    run_on_awaiter(event_loop& at, task<T> t) : call_(new call(at, std::move(t))) {}
    run_on_awaiter(const run_on_awaiter&) = delete;
    run_on_awaiter& operator=(const run_on_awaiter&) = delete;
    ~run_on_awaiter() {
        if (waiting_) call_->abandon();
        else delete call_;
    }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> who) {
        context* in = context_of(who);
        if (in) in->token().check();
        waiting_ = true;
        call_->wait(who, in);
    }
    T await_resume() {
        waiting_ = false;
        return call_->take();
    }

private:
    call* call_;
    bool waiting_ = false;
};

/// Waited for by a thread that may block.
template <class T>
class blocking_call final : public remote_task<T> {
public:
    using remote_task<T>::remote_task;
    T wait(instant deadline) {
        wait_.check();
        this->start(std::min(deadline, wait_.deadline()));
        auto why = cancel_reason::none;
        try {
            if (!wait_.wait(deadline)) why = cancel_reason::deadline;
        } catch (const cancelled& c) {
            why = c.reason;
        }
        if (why != cancel_reason::none) {
            this->cancel(why);
            wait_.wait_to_the_end();
        }
        return this->take();
    }

private:
    void told() noexcept override { wait_.done(); }

    blocking_wait wait_;
};

}  // namespace detail

/// `co_await run_on(loop, task)`: runs the task on another loop, which must turn until it has ended, and resumes here
/// with its result or exception. The deadline and a cancellation of the awaiting context reach the task; it is awaited
/// to its end all the same. What the task refers to must be safe to use on that loop's thread. The await must be on a
/// loop.
template <class T>
[[nodiscard]] detail::run_on_awaiter<T> run_on(event_loop& loop, task<T> t) {
    return detail::run_on_awaiter<T>(loop, std::move(t));
}

/// The same for a thread that may block: throws synchronous_only on a loop thread. The task is cancelled at the
/// deadline, and when whom the thread works for is (works_for).
template <class T>
T run_on_and_wait(event_loop& loop, task<T> t, instant deadline = instant::max()) {
    require_blocking_allowed("run_on_and_wait");
    detail::blocking_call<T> call(loop, std::move(t));
    return call.wait(deadline);
}

}  // namespace rondo
