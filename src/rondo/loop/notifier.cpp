// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/notifier.hpp>

#include <algorithm>
#include <utility>

namespace rondo {

/// The waiters on one loop. Only the loop's thread accesses the list; `size` is guarded by the notifier's mutex.
struct notifier::queue final : posted_task {
    explicit queue(event_loop& l) noexcept : loop(l) {}

    void post(const std::shared_ptr<queue>& self, std::uint64_t count) {
        latest_count.store(count, std::memory_order_relaxed);
        if (post_pending.exchange(true)) return;
        self_reference = self;
        loop.post(static_cast<posted_task&>(*this));
    }

    void run_on_loop() noexcept override {
        const std::shared_ptr<queue> self = std::move(self_reference);
        post_pending.exchange(false);  // not store(): must see what the last post() wrote
        const std::uint64_t count = latest_count.load(std::memory_order_relaxed);
        // Woken coroutines modify the list, so none may run before all are queued.
        {
            const ready_queue::runner deferred(ready_queue::current());
            waiters.for_each([count](wait_awaiter& w) {
                if (w.seen_ < count) w.wake();
            });
        }
        ready_queue::current().run();
    }

    event_loop& loop;
    intrusive_list<wait_awaiter> waiters;
    std::size_t size = 0;
    std::atomic<std::uint64_t> latest_count{0};
    std::atomic<bool> post_pending{false};
    std::shared_ptr<queue> self_reference;  // from post() until run_on_loop(): the last waiter may have ended by then
};

std::uint64_t notifier::notify() {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t now = count() + 1;
    raise_to(now);
    return now;
}

void notifier::advance_to(std::uint64_t to) {
    const std::scoped_lock lock(mutex_);
    if (to > count()) raise_to(to);
}

void notifier::raise_to(std::uint64_t to) {
    count_.store(to, std::memory_order_release);
    for (const std::shared_ptr<queue>& q : queues_) q->post(q, to);
}

const std::shared_ptr<notifier::queue>& notifier::find_or_add_queue(event_loop& loop) {
    auto found = std::ranges::find_if(queues_, [&](const auto& q) { return &q->loop == &loop; });
    return found != queues_.end() ? *found : queues_.emplace_back(std::make_shared<queue>(loop));
}

notifier::wait_awaiter::wake_timer::wake_timer(wait_awaiter& owner) noexcept
    : timer([](timer& self) noexcept { static_cast<wake_timer&>(self).owner_.wake(); }), owner_(owner) {}

bool notifier::wait_awaiter::enqueue() {
    event_loop& loop = event_loop::current();
    {
        const std::scoped_lock lock(notifier_.mutex_);
        if (notifier_.count() > seen_) return stop_waiting(), false;
        queue_ = notifier_.find_or_add_queue(loop).get();
        ++queue_->size;
    }
    queue_->waiters.push_back(*this);
    if (timeout_ != clock::duration::max()) loop.timers().arm(timer_, clock::now() + timeout_);
    return true;
}

void notifier::wait_awaiter::dequeue() noexcept {
    if (!queue_) return;
    timer_.disarm();
    unlink();
    const std::scoped_lock lock(notifier_.mutex_);
    // A loop without waiters may be destroyed: nothing is posted to it any more.
    queue* old = std::exchange(queue_, nullptr);
    if (--old->size == 0) std::erase_if(notifier_.queues_, [old](const auto& q) { return q.get() == old; });
}

}  // namespace rondo
