// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/run_on.hpp>

namespace rondo::detail {

void remote_run::start(instant deadline) {
    context_.deadline = deadline;
    pending_on_loop_.store(1, std::memory_order_relaxed);
    loop_.post(start_step_);
}

void remote_run::cancel(cancel_reason reason) noexcept {
    int pending = pending_on_loop_.load(std::memory_order_relaxed);
    // At most one cancellation, and none once the task has ended.
    if (pending != 1 || reason_ != cancel_reason::none) return;
    reason_ = reason;
    if (pending_on_loop_.compare_exchange_strong(pending, 2, std::memory_order_acq_rel)) loop_.post(cancel_step_);
}

void remote_run::run() noexcept {
    thread_activity& current = loop_.activity();
    current.enter(&context_);
    detail::start_task(prepare(this, context_));
    current.enter(nullptr);
}

void remote_run::cancel_on_loop() noexcept {
    context_.cancel.cancel(reason_);
    finish_step();
}

// Deferred: the waiting thread may destroy the coroutine at once, but it must first return from here.
std::coroutine_handle<> remote_run::on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept {
    loop_.defer(end_step_);
    return std::noop_coroutine();
}

void remote_run::finish_step() noexcept {
    if (pending_on_loop_.fetch_sub(1, std::memory_order_acq_rel) == 1) completed();
}

}  // namespace rondo::detail
