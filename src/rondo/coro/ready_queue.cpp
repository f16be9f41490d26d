// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/ready_queue.hpp>

#include <utility>

namespace rondo {

ready_queue& ready_queue::current() noexcept {
    thread_local ready_queue queue;
    return queue;
}

void ready_queue::push(ready_node& node) noexcept {
    nodes_.push_back(node);
    if (runners_ == 0) run();
}

void ready_queue::run(std::size_t max) noexcept {
    if (running_) return;
    running_ = true;
    for (; max > 0 && !nodes_.empty(); --max) {
        ready_node& node = nodes_.pop_front();
        activity_.enter(node.context);
        std::exchange(node.coroutine_, {}).resume();
        activity_.enter(nullptr);
    }
    running_ = false;
}

void ready_queue::run_with(std::coroutine_handle<> first) noexcept {
    bool outer = std::exchange(running_, false);
    {
        runner deferred(*this);
        detail::start_task(first);
        run();
    }
    running_ = outer;
}

ready_queue::nested_queue::nested_queue(ready_queue& queue) noexcept
    : queue_(queue), runners_(std::exchange(queue.runners_, 0)), running_(std::exchange(queue.running_, false)) {
    nodes_.splice(queue.nodes_);
}

ready_queue::nested_queue::~nested_queue() {
    queue_.run();
    queue_.nodes_.splice(nodes_);
    queue_.runners_ = runners_;
    queue_.running_ = running_;
}

}  // namespace rondo
