// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/mailbox.hpp>

#include <utility>

#include <fmt/format.h>

namespace rondo::channels_detail {

namespace {

constexpr unsigned max_burst = 64;  // messages received without yielding to the loop

}  // namespace

std::size_t mailbox::put(const std::shared_ptr<const message_body>& body) {
    const std::scoped_lock lock(mutex_);
    if (closed_) return 0;
    std::size_t dropped = 0;
    const auto full = [&] {
        return queue_.size() >= options_.max_messages || bytes_ + body->bytes.size() > options_.max_bytes;
    };
    if (options_.when_full == overflow::close && !queue_.empty() && full()) {
        closed_ = true;
        notify();
        return 1;
    }
    for (; !queue_.empty() && full(); ++dropped) {
        bytes_ -= queue_.front()->bytes.size();
        queue_.pop_front();
    }
    missed_ += dropped;
    queue_.push_back(body);
    bytes_ += body->bytes.size();
    notify();
    return dropped;
}

void mailbox::mark_gap() {
    const std::scoped_lock lock(mutex_);
    gap_ = true;
    if (options_.report_gaps) notify();
}

void mailbox::notify() {
    if (loop_ == nullptr || notify_pending_) return;
    notify_pending_ = true;
    kept_alive_ = shared_from_this();
    loop_->post(static_cast<posted_task&>(*this));
}

void mailbox::run_on_loop() noexcept {
    std::shared_ptr<mailbox> self;
    bool ready = false;
    {
        const std::scoped_lock lock(mutex_);
        self = std::move(kept_alive_);
        notify_pending_ = false;
        ready = is_ready();  // false when it was posted for an earlier wait
    }
    if (ready && !waiter_.empty()) waiter_.front().wake();
}

channel_message mailbox::pop() {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t missed = std::exchange(missed_, 0);
    const bool gap = std::exchange(gap_, false);
    if (gap && options_.report_gaps) return {nullptr, missed, true};
    if (queue_.empty()) {
        throw subscriber_too_slow(fmt::format(
            "subscription closed: the subscriber did not keep up and more than {} messages or {} bytes were queued; "
            "receive faster, raise the limits in subscription_options, or use overflow::drop_oldest",
            options_.max_messages, options_.max_bytes));
    }
    std::shared_ptr<const message_body> body = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= body->bytes.size();
    return {std::move(body), missed, gap};
}

bool mailbox::wait::attach() {
    {
        const std::scoped_lock lock(box_.mutex_);
        // A fast publisher must not starve the I/O of the loop.
        const bool ready = box_.is_ready();
        if (ready && ++box_.burst_ % max_burst != 0) return stop_waiting(), false;
        box_.loop_ = &event_loop::current();
        if (ready) box_.notify();
    }
    attached_ = true;
    box_.waiter_.push_back(*this);
    return true;
}

void mailbox::wait::detach() noexcept {
    if (!std::exchange(attached_, false)) return;
    unlink();
    // From here on nothing is posted to the loop, which may end.
    const std::scoped_lock lock(box_.mutex_);
    box_.loop_ = nullptr;
}

channel_message mailbox::wait::await_resume() {
    detach();
    check();
    return box_.pop();
}

}  // namespace rondo::channels_detail
