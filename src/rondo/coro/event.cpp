// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/event.hpp>

namespace rondo {

void event::set() noexcept {
    ready_queue::batch batch;
    set_ = true;
    while (!waiters_.empty()) waiters_.front().wake();
}

bool event::wait_awaiter::enqueue() noexcept {
    if (event_.set_) {
        stop_waiting();
        return false;
    }
    event_.waiters_.push_back(*this);
    return true;
}

}  // namespace rondo
