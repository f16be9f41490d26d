// SPDX-License-Identifier: Apache-2.0
// Base class of awaiters that are either woken or cancelled.
#pragma once

#include <coroutine>

#include <rondo/coro/cancel.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

/// Base class of awaiters: one suspended coroutine that is either woken or cancelled with its context. Stored in the
/// coroutine's frame; the ready_node is also its entry in the list of waiters of the awaited object.
/// Derived classes call suspend() in await_suspend and check() in await_resume.
class waiter : public ready_node {
public:
    /// Resumes the coroutine. The first of wake() and a cancellation wins; the other has no effect.
    void wake() noexcept {
        if (!waiting_) return;
        if (!callback_.is_linked()) context = nullptr;  // there is none, or it was destroyed
        stop_waiting();
        ready_queue::current().push(*this);
    }

    [[nodiscard]] bool is_waiting() const noexcept { return waiting_; }

protected:
    /// `on_cancel` is called on the loop thread when the wait is cancelled, after the waiter was removed from its list
    /// and before the coroutine resumes: to withdraw the request. May be null: removal from the list is mostly enough.
    using cancel_function = void (*)(waiter& self) noexcept;

    explicit waiter(cancel_function on_cancel = nullptr) noexcept : callback_(*this), on_cancel_(on_cancel) {}

    /// Sets the waiting coroutine. Returns false when the context is already cancelled: then do not suspend.
    template <class Promise>
    [[nodiscard]] bool suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        return suspend(awaiting, context_of(awaiting));
    }
    [[nodiscard]] bool suspend(std::coroutine_handle<> awaiting, task_context* in) noexcept;

    /// Throws `cancelled` when the wait was cancelled.
    void check() const {
        if (reason_ != cancel_reason::none) throw cancelled{reason_};
    }
    [[nodiscard]] bool was_cancelled() const noexcept { return reason_ != cancel_reason::none; }

    void stop_waiting() noexcept {
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
