// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <rondo/coro/waiter.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// A count that views wait for: what long polling and feeds are made of. Say that something is new with notify(), and
/// wait until the count passes what the client has seen:
///
///     rondo::notifier news;
///     std::uint64_t now = co_await news.wait_past(seen, 25s);  // not more than `seen`: nothing new, the time is over
///
/// A waiting coroutine costs its frame and no thread: ten thousand may wait. They may be on several loops.
/// count(), notify() and advance_to() are for any thread. Must outlive its waiters.
class notifier {
public:
    class wait;

    explicit notifier(std::uint64_t start = 0) noexcept : count_(start) {}
    notifier(const notifier&) = delete;
    notifier& operator=(const notifier&) = delete;

    [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }

    /// Counts one more and wakes those who wait for it. Returns the new count.
    std::uint64_t notify();
    /// Raises the count (to the row number of a message, say); a lower one changes nothing.
    void advance_to(std::uint64_t count);

    /// Waits until count() > seen, at most `timeout`, and gives count(). Ends with `cancelled` when the context is.
    [[nodiscard]] wait wait_past(std::uint64_t seen, clock::duration timeout = clock::duration::max()) noexcept;

private:
    struct queue;
    void raise(std::uint64_t to);
    [[nodiscard]] const std::shared_ptr<queue>& queue_of(event_loop& loop);

    std::mutex mutex_;  // so that no rise falls between a waiter's look at the count and its place in a queue
    std::atomic<std::uint64_t> count_;
    std::vector<std::shared_ptr<queue>> queues_;  // of the loops on which somebody waits
};

/// `co_await notifier.wait_past(...)`.
class [[nodiscard]] notifier::wait : public waiter {
public:
    wait(notifier& in, std::uint64_t seen, clock::duration timeout) noexcept
        : timer_(*this), in_(in), seen_(seen), timeout_(timeout) {}
    ~wait() { leave(); }
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        return suspend(who) && enter();
    }
    std::uint64_t await_resume() {
        leave();
        check();
        return in_.count();
    }

private:
    friend struct notifier::queue;
    struct wake_timer : timer {
        explicit wake_timer(wait& owner) noexcept;
        wait& owner_;
    };
    bool enter();
    void leave() noexcept;

    wake_timer timer_;
    notifier& in_;
    std::uint64_t seen_;
    clock::duration timeout_;
    queue* queued_in_ = nullptr;
};

inline notifier::wait notifier::wait_past(std::uint64_t seen, clock::duration timeout) noexcept {
    return {*this, seen, timeout};
}

}  // namespace rondo
