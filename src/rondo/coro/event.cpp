// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/event.hpp>

namespace rondo {

void event::set() noexcept {
    set_ = true;
    intrusive_list<waiter> woken;
    woken.splice(waiters_);
    while (!woken.empty()) woken.front().wake();
}

bool event::wait_awaiter::enter() noexcept {
    if (event_.set_) {
        settle();
        return false;
    }
    event_.waiters_.push_back(*this);
    return true;
}

}  // namespace rondo
