// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_group.hpp>

#include <rondo/base/bug_report.hpp>
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

task_group::task_group(task_context* parent) noexcept : context_(parent) {}

task_group::task_group(failure_handler handler, void* data, task_context* parent) noexcept
    : context_(parent), handler_(handler), handler_data_(data) {}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of failure_handler
void task_group::ignore_failure(void*, std::exception_ptr) noexcept {}

task_group::~task_group() {
    if (tasks_.empty()) return;
    if (joiner_) std::exchange(joiner_, nullptr)->group_ = nullptr;
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

void task_group::spawn(task<void> t, task_context& in) {
    tasks_.push_back(t.coroutine());
    handle task = t.release();
    task.promise().set_completion_handler(this, tasks_.size() - 1);
    task.promise().set_context(&in);
    detail::start_task(task);  // may have destroyed the group
}

std::coroutine_handle<> task_group::on_completion(std::coroutine_handle<> task, std::size_t index,
                                                  std::exception_ptr failure) noexcept {
    ++callback_depth_;  // code run by the following calls must not resume the joining coroutine, which may destroy the
                        // group
    tasks_[index] = tasks_.back();
    tasks_[index].promise().set_completion_handler(this, index);
    tasks_.pop_back();
    task.destroy();
    if (failure && !is_cancellation(failure)) handle_failure(std::move(failure));
    --callback_depth_;
    if (callback_depth_ == 0 && tasks_.empty() && joiner_) {
        joiner_->unlink();
        return std::exchange(joiner_, nullptr)->continuation_;
    }
    return std::noop_coroutine();
}

void task_group::handle_failure(std::exception_ptr failure) noexcept {
    if (handler_) return handler_(handler_data_, std::move(failure));
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
    if (!group_ || group_->joiner_ != this) return;
    group_->joiner_ = nullptr;
    group_->abandoned_ = true;
}

bool task_group::join_awaiter::start_wait(std::coroutine_handle<> awaiting, task_context* in) noexcept {
    continuation_ = awaiting;
    context_ = in;
    if (in && in->cancel.is_cancelled()) group_->cancel(in->cancel.reason());
    if (group_->empty()) return false;
    group_->joiner_ = this;
    if (in && !in->cancel.is_cancelled()) in->cancel.add(*this);
    return true;
}

void task_group::join_awaiter::await_resume() {
    if (group_->failure_) std::rethrow_exception(std::exchange(group_->failure_, nullptr));
    if (context_) context_->token().check();
}

}  // namespace rondo
