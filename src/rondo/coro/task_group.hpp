// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {

/// Tasks that run beside each other and whose end is awaited in one place. Belongs to one thread.
///     task_group group(co_await this_context());
///     group.spawn(a());
///     group.spawn(b());
///     co_await group.join();
/// The tasks run in a context of the group, a child of the one given. A task that ends by `cancelled` has not failed.
///
/// To destroy a group with tasks in it, unless somebody is suspended in its join(), is a bug: it is reported
/// (base/assertion.hpp) and the tasks are destroyed where they wait. with_group() cannot be used in this wrong way.
class task_group final : detail::task_end {
public:
    /// Is told of each failure; `with` is what the group was given. May be called within spawn(). Must not destroy
    /// the group.
    using failure_handler = void (*)(void* with, std::exception_ptr failure) noexcept;
    /// The handler of a group whose tasks deal with their failures themselves.
    static void ignore(void* with, std::exception_ptr failure) noexcept;

    /// The first failure cancels the others and comes out of join(). `parent` may be null, else must outlive the group.
    explicit task_group(context* parent = nullptr) noexcept;
    /// A failure goes to the handler and the others go on: for tasks that have nothing to do with each other.
    task_group(failure_handler handler, void* with, context* parent = nullptr) noexcept;
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;
    ~task_group();

    /// Runs the task at once until it first waits. Throws std::bad_alloc: then the task has not run.
    void spawn(task<void> t) { spawn(std::move(t), context_); }
    /// The same in a context of its own, which must live until the task has ended and its frame is destroyed.
    /// cancel() reaches it only when it is a child of group_context().
    void spawn(task<void> t, context& in);

    /// `co_await g.join()` returns when no task is left; cancellation of the awaiting context cancels the group.
    /// Throws the first failure; else `cancelled` when the awaiting context is. One at a time; the group can be used
    /// again afterwards unless it was cancelled.
    class join_awaiter;
    [[nodiscard("co_await it")]] join_awaiter join() noexcept;

    /// Cancels the tasks in the group's context, also those spawned from now on.
    void cancel(cancel_reason reason = cancel_reason::requested) noexcept { context_.cancel.cancel(reason); }

    /// Tasks that have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
    [[nodiscard]] bool empty() const noexcept { return tasks_.empty(); }

    /// What the tasks run in; for contexts of their own that are to be cancelled with the group.
    [[nodiscard]] context& group_context() noexcept { return context_; }

private:
    using promise = detail::task_promise<void>;
    using handle = std::coroutine_handle<promise>;

    std::coroutine_handle<> ended(std::coroutine_handle<> task, std::size_t place,
                                  std::exception_ptr failure) noexcept override;
    void failed(std::exception_ptr failure) noexcept;

    child_context context_;
    std::vector<handle> tasks_;  // the place of each is its index
    join_awaiter* joining_ = nullptr;
    std::exception_ptr failure_;
    failure_handler handler_ = nullptr;
    void* with_ = nullptr;
    int busy_ = 0;
    bool abandoned_ = false;  // who waited in join() was destroyed there
};

class [[nodiscard("co_await it")]] task_group::join_awaiter : cancel_callback {
public:
    explicit join_awaiter(task_group& group) noexcept;
    ~join_awaiter();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        return enter(who, context_of(who));
    }
    void await_resume();

private:
    friend class task_group;
    bool enter(std::coroutine_handle<> who, context* in) noexcept;

    task_group* group_;
    std::coroutine_handle<> who_;
    context* in_ = nullptr;
};

inline task_group::join_awaiter task_group::join() noexcept { return join_awaiter(*this); }

/// Awaits `body(group, args...)`, a task<void>, then the tasks it spawned, however the body ends: when it throws, the
/// tasks are cancelled and its exception wins. The body and the arguments live until all have ended.
template <class Body, class... Args>
task<void> with_group(Body body, Args... args) {
    task_group group(co_await this_context());
    std::exception_ptr failure;
    try {
        co_await body(group, std::move(args)...);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) group.cancel();
    try {
        co_await group.join();
    } catch (...) {
        if (!failure) throw;
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace rondo
