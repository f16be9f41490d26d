// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <rondo/channels/message.hpp>
#include <rondo/coro/waiter.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// What happens to a subscriber for whom more waits than it may hold.
enum class overflow : std::uint8_t {
    drop_oldest,  ///< the oldest waiting message goes, and the next one it receives tells how many went
    close,        ///< it receives what waits, then subscriber_too_slow
};

struct subscription_options {
    std::size_t messages = 1024;   ///< that may wait for this subscriber
    std::size_t bytes = 4u << 20;  ///< of them together; one message is taken whatever its size
    overflow when_full = overflow::drop_oldest;
    /// A message of its own, without bytes, tells of a gap as soon as the layer is whole again. Otherwise the next
    /// message has the mark.
    bool report_gaps = false;
};

/// Thrown by a subscription that was closed because its subscriber did not keep up (overflow::close).
class subscriber_too_slow : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace channels_detail {

/// The messages that wait for one subscriber. Any thread puts, one coroutine at a time takes.
class mailbox final : public posted, public std::enable_shared_from_this<mailbox> {
public:
    explicit mailbox(subscription_options options) noexcept : options_(options) {}

    /// Gives how many messages were dropped because of it.
    std::size_t put(const std::shared_ptr<const message_body>& body);
    void mark_gap();

    class wait;
    /// `co_await box.take()` gives the next message; throws subscriber_too_slow and `cancelled`.
    [[nodiscard("co_await it")]] wait take() noexcept;

    struct entry {
        std::string name;
        bool pattern = false;
    };
    // The hub's, under its mutex.
    std::vector<entry> entries;
    std::uint64_t last_seen = 0;

private:
    void run_on_loop() noexcept override;
    void announce();
    [[nodiscard]] bool has_some() const noexcept {
        return !waiting_.empty() || closed_ || (gap_ && options_.report_gaps);
    }
    [[nodiscard]] channel_message pop();

    const subscription_options options_;
    mutable std::mutex mutex_;
    std::deque<std::shared_ptr<const message_body>> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t missed_ = 0;  // since the last one taken
    bool gap_ = false;
    bool closed_ = false;
    event_loop* loop_ = nullptr;  // of who waits
    bool in_flight_ = false;
    std::shared_ptr<mailbox> kept_alive_;  // from post() until it ran
    unsigned burst_ = 0;
    intrusive_list<waiter> waiter_;  // touched on the loop's thread only
};

class [[nodiscard]] mailbox::wait : public waiter {
public:
    explicit wait(mailbox& box) noexcept : box_(box) {}
    ~wait() { leave(); }
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        return suspend(who) && enter();
    }
    [[nodiscard]] channel_message await_resume();

private:
    bool enter();
    void leave() noexcept;

    mailbox& box_;
    bool entered_ = false;
};

inline mailbox::wait mailbox::take() noexcept { return wait(*this); }

}  // namespace channels_detail
}  // namespace rondo
