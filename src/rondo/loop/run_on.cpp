// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/run_on.hpp>

namespace rondo::detail {

void remote_run::start(instant deadline) {
    context_.deadline = deadline;
    on_loop_.store(1, std::memory_order_relaxed);
    at_.post(starting_);
}

void remote_run::cancel(cancel_reason reason) noexcept {
    int pending = on_loop_.load(std::memory_order_relaxed);
    // At most one cancellation, and none once the task has ended.
    if (pending != 1 || reason_ != cancel_reason::none) return;
    reason_ = reason;
    if (on_loop_.compare_exchange_strong(pending, 2, std::memory_order_acq_rel)) at_.post(cancelling_);
}

void remote_run::run() noexcept {
    activity& current = at_.doing();
    current.enter(&context_);
    detail::start_task(begin(this, context_));
    current.enter(nullptr);
}

void remote_run::cancel_here() noexcept {
    context_.cancel.cancel(reason_);
    settle();
}

// Deferred: the waiting thread may destroy the coroutine at once, but it must first return from here.
std::coroutine_handle<> remote_run::ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept {
    at_.defer(ending_);
    return std::noop_coroutine();
}

void remote_run::settle() noexcept {
    if (on_loop_.fetch_sub(1, std::memory_order_acq_rel) == 1) told();
}

}  // namespace rondo::detail
