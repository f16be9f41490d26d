// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_context.hpp>

#include <rondo/coro/ready_queue.hpp>

namespace rondo {

// The thread's activity must not refer to a destroyed context.
context::~context() {
    auto& doing = ready_queue::current().doing();
    if (doing.running() == this) doing.enter(nullptr);
}

child_context::link::link(child_context& child) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<link&>(self).child_.cancel.cancel(reason);
      }),
      child_(child) {}

child_context::child_context(context* parent) noexcept : link_(*this) {
    if (!parent) return;
    activity = parent->activity;
    deadline = parent->deadline;
    held = parent->held;
    if (parent->cancel.requested()) cancel.cancel(parent->cancel.reason());
    else parent->cancel.add(link_);
}

}  // namespace rondo
