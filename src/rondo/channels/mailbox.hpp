// SPDX-License-Identifier: Apache-2.0
// The queue of messages for one subscriber.
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

/// What happens when the mailbox of a subscriber is full.
enum class overflow : std::uint8_t {
    drop_oldest,  ///< drop the oldest message; channel_message::missed() reports how many were dropped
    close,        ///< close it: queued messages can be received, then next() throws subscriber_too_slow
};

struct subscription_options {
    std::size_t max_messages = 1024;   ///< in the mailbox
    std::size_t max_bytes = 4u << 20;  ///< in the mailbox; a single message may be larger
    overflow when_full = overflow::drop_oldest;
    /// Reports a gap with a message without bytes as soon as the connection is restored. Otherwise the next message
    /// carries the mark.
    bool report_gaps = false;
};

/// Thrown by a subscription that was closed because the subscriber did not keep up (overflow::close).
class subscriber_too_slow : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace channels_detail {

/// The queued messages of one subscriber. Any thread puts, one coroutine at a time receives.
class mailbox final : public posted_task, public std::enable_shared_from_this<mailbox> {
public:
    explicit mailbox(subscription_options options) noexcept : options_(options) {}

    /// Returns how many messages were dropped.
    std::size_t put(const std::shared_ptr<const message_body>& body);
    void mark_gap();

    class wait;
    /// `co_await box.receive()` returns the next message; throws subscriber_too_slow and `cancelled`.
    [[nodiscard("co_await it")]] wait receive() noexcept;

    struct entry {
        std::string name;
        bool pattern = false;
    };
    // Owned by the hub, under its mutex.
    std::vector<entry> entries;
    std::uint64_t last_sequence = 0;

private:
    void run_on_loop() noexcept override;
    void notify();
    [[nodiscard]] bool is_ready() const noexcept {
        return !queue_.empty() || closed_ || (gap_ && options_.report_gaps);
    }
    [[nodiscard]] channel_message pop();

    const subscription_options options_;
    mutable std::mutex mutex_;
    std::deque<std::shared_ptr<const message_body>> queue_;
    std::size_t bytes_ = 0;
    std::uint64_t missed_ = 0;  // since the last message received
    bool gap_ = false;
    bool closed_ = false;
    event_loop* loop_ = nullptr;  // of the waiting coroutine
    bool notify_pending_ = false;
    std::shared_ptr<mailbox> kept_alive_;  // from post() until run_on_loop()
    unsigned burst_ = 0;
    intrusive_list<waiter> waiter_;  // used on the loop thread only
};

class [[nodiscard]] mailbox::wait : public waiter {
public:
    explicit wait(mailbox& box) noexcept : box_(box) {}
    ~wait() { detach(); }
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> h) {
        return suspend(h) && attach();
    }
    [[nodiscard]] channel_message await_resume();

private:
    bool attach();
    void detach() noexcept;

    mailbox& box_;
    bool attached_ = false;
};

inline mailbox::wait mailbox::receive() noexcept { return wait(*this); }

}  // namespace channels_detail
}  // namespace rondo
