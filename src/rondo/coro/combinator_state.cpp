// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/combinator_state.hpp>

#include <utility>

#include <rondo/coro/ready_queue.hpp>

namespace rondo::detail {

bool joint::start(std::coroutine_handle<> who, std::span<const member> members) noexcept {
    refused_ = context_.cancel.reason();
    if (refused_ != cancel_reason::none) return false;
    who_ = who;
    running_ = 1;  // this function: nobody goes on before it returns
    for (std::size_t i = 0; i < members.size() && !decided_; ++i) {
        ++running_;
        members[i].promise->end_at(this, i);
        members[i].promise->run_in(&context_);
        detail::start_task(members[i].task);
    }
    return --running_ != 0;
}

std::coroutine_handle<> joint::ended(std::coroutine_handle<>, std::size_t place, std::exception_ptr failure) noexcept {
    if (!decided_ && (failure || until_ == until::first_end)) {
        decided_ = true;
        first_ = place;
        failure_ = std::move(failure);
        context_.cancel.cancel();  // this one still counts as running: nobody goes on within
    }
    return --running_ == 0 ? who_ : std::noop_coroutine();
}

void joint::check() const {
    if (refused_ != cancel_reason::none) throw cancelled{refused_};
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace rondo::detail
