// SPDX-License-Identifier: Apache-2.0
// Structured concurrency: tasks that run concurrently and are joined in one place.
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

/// Tasks that run concurrently and are joined in one place. Belongs to one thread.
///     task_group group(co_await this_context());
///     group.spawn(a());
///     group.spawn(b());
///     co_await group.join();
/// The tasks run in the group's context, a child of `parent`. A task that ends with `cancelled` has not failed.
///
/// Destroying a group that still has tasks is a bug unless a coroutine is suspended in its join(): it is reported
/// (base/bug_report.hpp) and the tasks are destroyed where they wait. with_group() cannot be misused like this.
class task_group final : detail::completion_handler {
public:
    /// Called for each failure, possibly within spawn(), with the constructor's `data`. Must not destroy the group.
    using failure_handler = void (*)(void* data, std::exception_ptr failure) noexcept;
    /// The handler for groups whose tasks handle their failures themselves.
    static void ignore_failure(void* data, std::exception_ptr failure) noexcept;

    /// The first failure cancels the other tasks and is thrown by join(). `parent` is null or must outlive the group.
    explicit task_group(task_context* parent = nullptr) noexcept;
    /// A failure is passed to the handler and the other tasks continue: for independent tasks.
    task_group(failure_handler handler, void* data, task_context* parent = nullptr) noexcept;
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;
    ~task_group();

    /// Runs the task up to its first suspension. Throws std::bad_alloc, in which case the task has not run.
    void spawn(task<void> t) { spawn(std::move(t), context_); }
    /// The same in a separate context, which must outlive the task and its frame. cancel() cancels it only when it is a
    /// child of group_context().
    void spawn(task<void> t, task_context& in);

    /// `co_await g.join()` returns when all tasks have ended; cancelling the awaiting context cancels the group.
    /// Throws the first failure, else `cancelled` when the awaiting context is cancelled. One join() at a time; the
    /// group can be used again afterwards unless it was cancelled.
    class join_awaiter;
    [[nodiscard("co_await it")]] join_awaiter join() noexcept;

    /// Cancels the tasks in the group's context, including those spawned later.
    void cancel(cancel_reason reason = cancel_reason::requested) noexcept { context_.cancel.cancel(reason); }

    /// The number of tasks that have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
    [[nodiscard]] bool empty() const noexcept { return tasks_.empty(); }

    /// The context of the tasks: the parent for separate contexts that are cancelled with the group.
    [[nodiscard]] task_context& group_context() noexcept { return context_; }

private:
    using promise = detail::task_promise<void>;
    using handle = std::coroutine_handle<promise>;

    std::coroutine_handle<> on_completion(std::coroutine_handle<> task, std::size_t index,
                                          std::exception_ptr failure) noexcept override;
    void handle_failure(std::exception_ptr failure) noexcept;

    child_context context_;
    std::vector<handle> tasks_;  // each task's completion data is its index
    join_awaiter* joiner_ = nullptr;
    std::exception_ptr failure_;
    failure_handler handler_ = nullptr;
    void* handler_data_ = nullptr;
    int callback_depth_ = 0;
    bool abandoned_ = false;  // the coroutine suspended in join() was destroyed
};

class [[nodiscard("co_await it")]] task_group::join_awaiter : cancel_callback {
public:
    explicit join_awaiter(task_group& group) noexcept;
    ~join_awaiter();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        return start_wait(awaiting, context_of(awaiting));
    }
    void await_resume();

private:
    friend class task_group;
    bool start_wait(std::coroutine_handle<> awaiting, task_context* in) noexcept;

    task_group* group_;
    std::coroutine_handle<> continuation_;
    task_context* context_ = nullptr;
};

inline task_group::join_awaiter task_group::join() noexcept { return join_awaiter(*this); }

/// Awaits `body(group, args...)`, a task<void>, then the tasks it spawned, however the body ends: when it throws, the
/// tasks are cancelled and its exception is rethrown. The body and the arguments are kept until all have ended.
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
