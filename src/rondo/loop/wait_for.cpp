// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/wait_for.hpp>

namespace rondo::detail {

timed_wait::expiry_timer::expiry_timer(waiter& woken) noexcept
    : timer([](timer& self) noexcept {
          auto& t = static_cast<expiry_timer&>(self);
          t.fired_first = t.waiter_.is_waiting();
          t.waiter_.wake();
      }),
      waiter_(woken) {}

}  // namespace rondo::detail
