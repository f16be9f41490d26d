// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/pending_result.hpp>

#include <algorithm>

#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::channels_detail {

namespace {

task<void> wait_for(event& e) { co_await e.wait(); }

}  // namespace

void pending::settle(std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    if (settled_) return;
    settled_ = true;
    failure_ = std::move(failure);
    if (blocked_) blocked_->complete();
    if (loop_ == nullptr || abandoned_) return;
    kept_alive_ = shared_from_this();
    loop_->post(static_cast<posted_task&>(*this));
}

bool pending::is_abandoned() const {
    const std::scoped_lock lock(mutex_);
    return abandoned_;
}

bool pending::is_settled() const {
    const std::scoped_lock lock(mutex_);
    return settled_;
}

void pending::run_on_loop() noexcept {
    std::shared_ptr<pending> self;
    {
        const std::scoped_lock lock(mutex_);
        self = std::move(kept_alive_);
    }
    settled_event_.set();
}

// False when it is settled already.
bool pending::attach() {
    const std::scoped_lock lock(mutex_);
    if (settled_) return false;
    loop_ = &event_loop::current();
    return true;
}

bool pending::attach(blocking_wait& thread) {
    const std::scoped_lock lock(mutex_);
    if (settled_) return false;
    blocked_ = &thread;
    return true;
}

void pending::abandon() noexcept {
    const std::scoped_lock lock(mutex_);
    abandoned_ = true;
    loop_ = nullptr;
}

void pending::rethrow_failure() {
    const std::scoped_lock lock(mutex_);
    if (failure_) std::rethrow_exception(std::move(failure_));
}

task<bool> pending::wait(instant deadline) {
    const std::shared_ptr<pending> self = shared_from_this();
    if (blocking_allowed()) co_return wait_sync(deadline);
    struct abandon_on_exit {
        pending& result;
        ~abandon_on_exit() { result.abandon(); }
    } const on_exit{*this};
    if (attach()) {
        try {
            co_await with_timeout(deadline - clock::now(), wait_for(settled_event_));
        } catch (const timed_out&) {
            if (!is_settled()) co_return false;
        }
    }
    rethrow_failure();
    co_return true;
}

bool pending::wait_sync(instant deadline) {
    blocking_wait wait;
    struct detach_on_exit {
        explicit detach_on_exit(pending& p) noexcept : result(p) {}
        ~detach_on_exit() {
            const std::scoped_lock lock(result.mutex_);
            result.blocked_ = nullptr;
            result.abandoned_ = !result.settled_;
        }
        pending& result;
    } const on_exit(*this);
    if (attach(wait) && !wait.wait(deadline)) return false;
    rethrow_failure();
    return true;
}

}  // namespace rondo::channels_detail
