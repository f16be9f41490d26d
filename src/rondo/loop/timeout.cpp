// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/timeout.hpp>

namespace rondo::detail {

bounded_context::expiry_timer::expiry_timer(bounded_context& owner) noexcept
    : timer([](timer& self) noexcept {
          auto& within = static_cast<expiry_timer&>(self).owner_;
          within.expired_ = !within.cancel.is_cancelled();
          within.cancel.cancel(cancel_reason::deadline);
      }),
      owner_(owner) {}

bounded_context::bounded_context(task_context* parent, event_loop& loop, instant until) noexcept
    : child_context(parent), timer_(*this) {
    deadline = std::min(deadline, until);
    loop.timers().arm(timer_, until);
}

}  // namespace rondo::detail
