// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/combinator_state.hpp>

#include <utility>

#include <rondo/coro/ready_queue.hpp>

namespace rondo::detail {

bool joint::start(std::coroutine_handle<> awaiting, std::span<const member> children) noexcept {
    refused_ = context_.cancel.reason();
    if (refused_ != cancel_reason::none) return false;
    who_ = awaiting;
    running_ = 1;  // counts this function: the awaiting coroutine must not resume before it returns
    for (std::size_t i = 0; i < children.size() && !decided_; ++i) {
        ++running_;
        children[i].promise->end_at(this, i);
        children[i].promise->run_in(&context_);
        detail::start_task(children[i].task);
    }
    return --running_ != 0;
}

std::coroutine_handle<> joint::ended(std::coroutine_handle<>, std::size_t index, std::exception_ptr failure) noexcept {
    if (!decided_ && (failure || until_ == until::first_end)) {
        decided_ = true;
        first_ = index;
        failure_ = std::move(failure);
        context_.cancel.cancel();  // this task still counts as running: the awaiting coroutine does not resume in here
    }
    return --running_ == 0 ? who_ : std::noop_coroutine();
}

void joint::check() const {
    if (refused_ != cancel_reason::none) throw cancelled{refused_};
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace rondo::detail
