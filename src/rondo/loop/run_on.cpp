// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/run_on.hpp>

namespace rondo::detail {

void remote_run::start(instant deadline) {
    context_.deadline = deadline;
    on_loop_.store(1, std::memory_order_relaxed);
    at_.post(starting_);
}

void remote_run::cancel(cancel_reason reason) noexcept {
    int there = on_loop_.load(std::memory_order_relaxed);
    // One cancellation at most; none when the task has ended.
    if (there != 1 || reason_ != cancel_reason::none) return;
    reason_ = reason;
    if (on_loop_.compare_exchange_strong(there, 2, std::memory_order_acq_rel)) at_.post(cancelling_);
}

void remote_run::run() noexcept {
    activity& doing = at_.doing();
    doing.enter(&context_);
    detail::start_task(begin(this, context_));
    doing.enter(nullptr);
}

void remote_run::cancel_here() noexcept {
    context_.cancel.cancel(reason_);
    settle();
}

// The coroutine may not be destroyed before it has returned from here, and who waits may be quick.
std::coroutine_handle<> remote_run::ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept {
    at_.defer(ending_);
    return std::noop_coroutine();
}

void remote_run::settle() noexcept {
    if (on_loop_.fetch_sub(1, std::memory_order_acq_rel) == 1) told();
}

}  // namespace rondo::detail
