// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_context.hpp>

#include <rondo/coro/ready_queue.hpp>

namespace rondo {

// The thread's activity must not refer to a destroyed context.
task_context::~task_context() {
    auto& activity = ready_queue::current().activity();
    if (activity.current_context() == this) activity.enter(nullptr);
}

child_context::parent_callback::parent_callback(child_context& child) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<parent_callback&>(self).child_.cancel.cancel(reason);
      }),
      child_(child) {}

child_context::child_context(task_context* parent) noexcept : parent_callback_(*this) {
    if (!parent) return;
    name = parent->name;
    deadline = parent->deadline;
    thread_time = parent->thread_time;
    if (parent->cancel.is_cancelled()) cancel.cancel(parent->cancel.reason());
    else parent->cancel.add(parent_callback_);
}

}  // namespace rondo
