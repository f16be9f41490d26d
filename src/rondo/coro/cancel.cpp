// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/cancel.hpp>

#include <rondo/coro/blocking_wait_scope.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo {

void cancel_source::cancel(cancel_reason reason) noexcept {
    const bool announced = callbacks_pending_.load(std::memory_order_relaxed) && callbacks_pending_.exchange(false);
    if (is_cancelled() && !announced) return;
    ready_queue::batch batch;  // all callbacks run before any coroutine resumes
    set_reason(reason);
    reason = this->reason();
    // A callback may destroy this source and other callbacks: only the local list may be used from here on.
    intrusive_list<cancel_callback> called;
    called.splice(callbacks_);
    while (!called.empty()) called.pop_front()(reason);
}

void cancel_source::request(cancel_reason reason) noexcept {
    if (set_reason(reason)) callbacks_pending_.store(true);
}

// Not relaxed: a thread that is about to block either sees the reason or is seen here.
bool cancel_source::set_reason(cancel_reason reason) noexcept {
    auto none = cancel_reason::none;
    if (!reason_.compare_exchange_strong(none, reason)) return false;
    if (has_blocked_waiters_.load()) wake_blocked_threads(*this);
    return true;
}

}  // namespace rondo
