// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/notifier.hpp>

#include <algorithm>
#include <utility>

namespace rondo {

/// The waiters on one loop. Only the loop's thread accesses the list; `size` is guarded by the notifier's mutex.
struct notifier::queue final : posted {
    explicit queue(event_loop& l) noexcept : loop(l) {}

    void post(const std::shared_ptr<queue>& self, std::uint64_t count) {
        reached.store(count, std::memory_order_relaxed);
        if (in_flight.exchange(true)) return;
        kept_alive = self;
        loop.post(static_cast<posted&>(*this));
    }

    void run_on_loop() noexcept override {
        const std::shared_ptr<queue> self = std::move(kept_alive);
        in_flight.exchange(false);  // not store(): must see what the last post() wrote
        const std::uint64_t count = reached.load(std::memory_order_relaxed);
        // Woken coroutines modify the list, so none may run before all are queued.
        {
            const ready_queue::runner deferred(ready_queue::current());
            waits.for_each([count](wait& w) {
                if (w.seen_ < count) w.wake();
            });
        }
        ready_queue::current().run();
    }

    event_loop& loop;
    intrusive_list<wait> waits;
    std::size_t size = 0;
    std::atomic<std::uint64_t> reached{0};
    std::atomic<bool> in_flight{false};
    std::shared_ptr<queue> kept_alive;  // from post() until run_on_loop(): the last waiter may have ended by then
};

std::uint64_t notifier::notify() {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t now = count() + 1;
    raise(now);
    return now;
}

void notifier::advance_to(std::uint64_t to) {
    const std::scoped_lock lock(mutex_);
    if (to > count()) raise(to);
}

void notifier::raise(std::uint64_t to) {
    count_.store(to, std::memory_order_release);
    for (const std::shared_ptr<queue>& q : queues_) q->post(q, to);
}

const std::shared_ptr<notifier::queue>& notifier::queue_of(event_loop& loop) {
    auto found = std::ranges::find_if(queues_, [&](const auto& q) { return &q->loop == &loop; });
    return found != queues_.end() ? *found : queues_.emplace_back(std::make_shared<queue>(loop));
}

notifier::wait::wake_timer::wake_timer(wait& owner) noexcept
    : timer([](timer& self) noexcept { static_cast<wake_timer&>(self).owner_.wake(); }), owner_(owner) {}

bool notifier::wait::enter() {
    event_loop& loop = event_loop::current();
    {
        const std::scoped_lock lock(in_.mutex_);
        if (in_.count() > seen_) return settle(), false;
        queued_in_ = in_.queue_of(loop).get();
        ++queued_in_->size;
    }
    queued_in_->waits.push_back(*this);
    if (timeout_ != clock::duration::max()) loop.timers().arm(timer_, clock::now() + timeout_);
    return true;
}

void notifier::wait::leave() noexcept {
    if (!queued_in_) return;
    timer_.disarm();
    unlink();
    const std::scoped_lock lock(in_.mutex_);
    // A loop without waiters may be destroyed: nothing is posted to it any more.
    queue* old = std::exchange(queued_in_, nullptr);
    if (--old->size == 0) std::erase_if(in_.queues_, [old](const auto& q) { return q.get() == old; });
}

}  // namespace rondo
