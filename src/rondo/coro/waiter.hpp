// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>

#include <rondo/coro/cancel.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

/// The waiting half of an awaitable: one suspended coroutine that either is woken or learns that its context was
/// cancelled. Lives in the coroutine's frame; the ready_node is also its place in the list of whom it waits for.
/// Derive, call suspend() in await_suspend and check() in await_resume.
class waiter : public ready_node {
public:
    /// Lets the coroutine go on. The first of wake() and a cancellation wins; the other does nothing.
    void wake() noexcept {
        if (!waiting_) return;
        if (!callback_.linked()) running_in = nullptr;  // there is none, or it is gone
        settle();
        ready_queue::current().push(*this);
    }

    [[nodiscard]] bool waiting() const noexcept { return waiting_; }

protected:
    /// `on_cancel` is called (on the loop thread) after the waiter left its list and before the coroutine resumes
    /// because of a cancellation: to take back what it waited for. May be null: leaving the list is enough for most.
    using cancel_function = void (*)(waiter& self) noexcept;

    explicit waiter(cancel_function on_cancel = nullptr) noexcept : callback_(*this), on_cancel_(on_cancel) {}

    /// Notes who waits. Returns false when the context is cancelled already: then do not suspend.
    template <class Promise>
    [[nodiscard]] bool suspend(std::coroutine_handle<Promise> who) noexcept {
        return suspend(who, context_of(who));
    }
    [[nodiscard]] bool suspend(std::coroutine_handle<> who, context* in) noexcept;

    /// Throws `cancelled` when the wait ended that way.
    void check() const {
        if (reason_ != cancel_reason::none) throw cancelled{reason_};
    }
    [[nodiscard]] bool was_cancelled() const noexcept { return reason_ != cancel_reason::none; }

    void settle() noexcept {
        waiting_ = false;
        unlink();
        callback_.unlink();
    }

private:
    struct callback : cancel_callback {
        explicit callback(waiter& owner) noexcept;
        waiter& owner_;
    };

    callback callback_;
    cancel_function on_cancel_;
    bool waiting_ = false;
    cancel_reason reason_ = cancel_reason::none;
};

}  // namespace rondo
