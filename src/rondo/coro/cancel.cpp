// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/cancel.hpp>

#include <rondo/coro/ready.hpp>

namespace rondo {

void cancel_source::cancel(cancel_reason reason) noexcept {
    if (requested()) return;
    ready_queue::batch batch;  // every callback is called before anything resumes
    reason_.store(reason, std::memory_order_relaxed);
    // A callback may destroy this source and other callbacks; only the local list is touched from here on.
    intrusive_list<cancel_callback> called;
    called.splice(callbacks_);
    while (!called.empty()) called.pop_front()(reason);
}

}  // namespace rondo
