// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/waiter.hpp>

namespace rondo {

waiter::callback::callback(waiter& owner) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          waiter& w = static_cast<callback&>(self).owner_;
          if (!w.waiting_) return;
          ready_queue::batch batch;
          w.reason_ = reason;
          w.stop_waiting();
          if (w.on_cancel_) w.on_cancel_(w);
          ready_queue::current().push(w);
      }),
      owner_(owner) {}

bool waiter::suspend(std::coroutine_handle<> awaiting, task_context* in) noexcept {
    reason_ = cancel_reason::none;
    if (in && in->cancel.is_cancelled()) {
        reason_ = in->cancel.reason();
        return false;
    }
    set_coroutine(awaiting, in);
    waiting_ = true;
    if (in) in->cancel.add(callback_);
    return true;
}

}  // namespace rondo
