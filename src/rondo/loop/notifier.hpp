// SPDX-License-Identifier: Apache-2.0
// A counter that coroutines on any loop wait for: long polling and feeds.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <rondo/coro/waiter.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// A count that views wait for: the basis of long polling and feeds. Signal news with notify(), and wait until the
/// count exceeds the last one that the client has seen:
///
///     rondo::notifier news;
///     std::uint64_t now = co_await news.wait_past(seen, 25s);  // not above `seen`: timed out, no news
///
/// A waiting coroutine costs its frame and no thread: tens of thousands may wait, on several loops.
/// count(), notify() and advance_to() may be called by any thread. Must outlive its waiters.
class notifier {
public:
    class wait_awaiter;

    explicit notifier(std::uint64_t start = 0) noexcept : count_(start) {}
    notifier(const notifier&) = delete;
    notifier& operator=(const notifier&) = delete;

    [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }

    /// Increments the count and wakes its waiters. Returns the new count.
    std::uint64_t notify();
    /// Raises the count, for example to the row number of a message; a lower value has no effect.
    void advance_to(std::uint64_t count);

    /// Waits until count() > seen, at most for `timeout`, and returns count(). Throws `cancelled`.
    [[nodiscard]] wait_awaiter wait_past(std::uint64_t seen, clock::duration timeout = clock::duration::max()) noexcept;

private:
    struct queue;
    void raise_to(std::uint64_t to);
    [[nodiscard]] const std::shared_ptr<queue>& find_or_add_queue(event_loop& loop);

    std::mutex mutex_;  // makes checking the count and joining a queue atomic
    std::atomic<std::uint64_t> count_;
    std::vector<std::shared_ptr<queue>> queues_;  // one for each loop with waiters
};

/// Returned by wait_past().
class [[nodiscard]] notifier::wait_awaiter : public waiter {
public:
    wait_awaiter(notifier& in, std::uint64_t seen, clock::duration timeout) noexcept
        : timer_(*this), notifier_(in), seen_(seen), timeout_(timeout) {}
    ~wait_awaiter() { dequeue(); }
    wait_awaiter(const wait_awaiter&) = delete;
    wait_awaiter& operator=(const wait_awaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        return suspend(awaiting) && enqueue();
    }
    std::uint64_t await_resume() {
        dequeue();
        check();
        return notifier_.count();
    }

private:
    friend struct notifier::queue;
    struct wake_timer : timer {
        explicit wake_timer(wait_awaiter& owner) noexcept;
        wait_awaiter& owner_;
    };
    bool enqueue();
    void dequeue() noexcept;

    wake_timer timer_;
    notifier& notifier_;
    std::uint64_t seen_;
    clock::duration timeout_;
    queue* queue_ = nullptr;
};

inline notifier::wait_awaiter notifier::wait_past(std::uint64_t seen, clock::duration timeout) noexcept {
    return {*this, seen, timeout};
}

}  // namespace rondo
