// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/combinator_state.hpp>

#include <utility>

#include <rondo/coro/ready_queue.hpp>

namespace rondo::detail {

bool combinator_state::start(std::coroutine_handle<> awaiting, std::span<const child> children) noexcept {
    reason_ = context_.cancel.reason();
    if (reason_ != cancel_reason::none) return false;
    continuation_ = awaiting;
    running_ = 1;  // counts this function: the awaiting coroutine must not resume before it returns
    for (std::size_t i = 0; i < children.size() && !decided_; ++i) {
        ++running_;
        children[i].promise->set_completion_handler(this, i);
        children[i].promise->set_context(&context_);
        detail::start_task(children[i].task);
    }
    return --running_ != 0;
}

std::coroutine_handle<> combinator_state::on_completion(std::coroutine_handle<>, std::size_t index,
                                                        std::exception_ptr failure) noexcept {
    if (!decided_ && (failure || return_when_ == return_when::first_completed)) {
        decided_ = true;
        first_index_ = index;
        failure_ = std::move(failure);
        context_.cancel.cancel();  // this task still counts as running: the awaiting coroutine does not resume in here
    }
    return --running_ == 0 ? continuation_ : std::noop_coroutine();
}

void combinator_state::check() const {
    if (reason_ != cancel_reason::none) throw cancelled{reason_};
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace rondo::detail
