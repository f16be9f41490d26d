// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_group.hpp>

#include <rondo/base/assertion.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo {

namespace {

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const cancelled&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace

task_group::task_group(context* parent) noexcept : context_(parent) {}

task_group::task_group(failure_handler handler, void* data, context* parent) noexcept
    : context_(parent), handler_(handler), with_(data) {}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of failure_handler
void task_group::ignore(void*, std::exception_ptr) noexcept {}

task_group::~task_group() {
    if (tasks_.empty()) return;
    if (joining_) std::exchange(joining_, nullptr)->group_ = nullptr;
    else if (!abandoned_) {
        report_bug(
            "task_group destroyed while it still had tasks, which were destroyed too: co_await join() on every path, "
            "or use with_group()");
    }
    // The destructor of a frame may end or spawn other tasks of this group.
    while (!tasks_.empty()) {
        handle task = tasks_.back();
        tasks_.pop_back();
        task.destroy();
    }
}

void task_group::spawn(task<void> t, context& in) {
    tasks_.push_back(t.coroutine());
    handle task = t.release();
    task.promise().end_at(this, tasks_.size() - 1);
    task.promise().run_in(&in);
    detail::start_task(task);  // may have destroyed the group
}

std::coroutine_handle<> task_group::ended(std::coroutine_handle<> task, std::size_t index,
                                          std::exception_ptr failure) noexcept {
    ++busy_;  // code run by the following calls must not resume the joining coroutine, which may destroy the group
    tasks_[index] = tasks_.back();
    tasks_[index].promise().end_at(this, index);
    tasks_.pop_back();
    task.destroy();
    if (failure && !is_cancellation(failure)) failed(std::move(failure));
    --busy_;
    if (busy_ == 0 && tasks_.empty() && joining_) {
        joining_->unlink();
        return std::exchange(joining_, nullptr)->who_;
    }
    return std::noop_coroutine();
}

void task_group::failed(std::exception_ptr failure) noexcept {
    if (handler_) return handler_(with_, std::move(failure));
    if (failure_) return;
    failure_ = std::move(failure);
    cancel();
}

task_group::join_awaiter::join_awaiter(task_group& group) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<join_awaiter&>(self).group_->cancel(reason);
      }),
      group_(&group) {}

task_group::join_awaiter::~join_awaiter() {
    if (!group_ || group_->joining_ != this) return;
    group_->joining_ = nullptr;
    group_->abandoned_ = true;
}

bool task_group::join_awaiter::enter(std::coroutine_handle<> awaiting, context* in) noexcept {
    who_ = awaiting;
    in_ = in;
    if (in && in->cancel.requested()) group_->cancel(in->cancel.reason());
    if (group_->empty()) return false;
    group_->joining_ = this;
    if (in && !in->cancel.requested()) in->cancel.add(*this);
    return true;
}

void task_group::join_awaiter::await_resume() {
    if (group_->failure_) std::rethrow_exception(std::exchange(group_->failure_, nullptr));
    if (in_) in_->token().check();
}

}  // namespace rondo
