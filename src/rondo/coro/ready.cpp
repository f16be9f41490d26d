// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/ready.hpp>

namespace rondo {

ready_queue& ready_queue::current() noexcept {
    thread_local ready_queue queue;
    return queue;
}

void ready_queue::push(ready_node& node) noexcept {
    nodes_.push_back(node);
    if (runners_ == 0) run();
}

void ready_queue::run() noexcept {
    if (running_) return;
    running_ = true;
    while (!nodes_.empty()) nodes_.pop_front().coroutine.resume();
    running_ = false;
}

}  // namespace rondo
