// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/wait_for.hpp>

namespace rondo::detail {

timed_wait::end_timer::end_timer(waiter& woken) noexcept
    : timer([](timer& self) noexcept {
          auto& t = static_cast<end_timer&>(self);
          t.first = t.woken_.waiting();
          t.woken_.wake();
      }),
      woken_(woken) {}

}  // namespace rondo::detail
