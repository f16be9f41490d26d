// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking_wait.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

namespace rondo {

namespace {

thread_local constinit blocking_scope* current_scope = nullptr;

// The waits of all threads that a cancellation may end. A cancellation searches it only if a thread has ever blocked on
// behalf of its source.
struct wait_registry {
    std::mutex mutex;
    intrusive_list<list_node> registrations;
};

wait_registry& registry() noexcept {
    // Never destroyed: threads may end after main().
    alignas(wait_registry) static std::array<std::byte, sizeof(wait_registry)> storage;
    static wait_registry& instance = *::new (storage.data()) wait_registry;
    return instance;
}

}  // namespace

blocking_scope::blocking_scope(task_context* in) noexcept : context_(in), outer_(current_scope) {
    current_scope = this;
}
blocking_scope::~blocking_scope() { current_scope = outer_; }

blocking_wait::blocking_wait() noexcept : innermost_(current_scope) {
    const std::scoped_lock lock(registry().mutex);
    for (blocking_scope* scope = innermost_; scope != nullptr && scope->context_ != nullptr; scope = scope->outer_) {
        deadline_ = std::min(deadline_, scope->context_->deadline);
        scope->registration_.source = &scope->context_->cancel;
        scope->registration_.wait = this;
        registry().registrations.push_back(scope->registration_);
        scope->context_->cancel.set_has_blocked_waiters();
    }
}

blocking_wait::~blocking_wait() {
    const std::scoped_lock lock(registry().mutex);
    for (blocking_scope* scope = innermost_; scope != nullptr && scope->context_ != nullptr; scope = scope->outer_) {
        scope->registration_.unlink();
    }
}

cancel_reason blocking_wait::reason() const noexcept {
    for (blocking_scope* scope = innermost_; scope != nullptr && scope->context_ != nullptr; scope = scope->outer_) {
        if (scope->context_->cancel.is_cancelled()) return scope->context_->cancel.reason();
    }
    return cancel_reason::none;
}

void blocking_wait::check() const {
    if (const cancel_reason why = reason(); why != cancel_reason::none) throw cancelled{why};
    if (deadline_ != instant::max() && clock::now() >= deadline_) throw cancelled{cancel_reason::deadline};
}

void blocking_wait::complete() noexcept {
    // Notified under the lock: once it is released, the waiting thread may destroy this object.
    const std::scoped_lock lock(mutex_);
    done_ = true;
    changed_.notify_one();
}

void blocking_wait::wake() noexcept {
    const std::scoped_lock lock(mutex_);
    changed_.notify_one();
}

bool blocking_wait::wait(instant until) {
    const instant end = std::min(until, deadline_);
    const auto ended = [this] { return done_ || reason() != cancel_reason::none; };
    std::unique_lock lock(mutex_);
    if (end == instant::max()) changed_.wait(lock, ended);
    else changed_.wait_until(lock, end, ended);
    if (done_) return true;
    check();
    return false;
}

void blocking_wait::wait_uninterrupted() noexcept {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
}

void wake_blocked_threads(cancel_source& source) noexcept {
    const std::scoped_lock lock(registry().mutex);
    registry().registrations.for_each([&source](list_node& node) {
        auto& entry = static_cast<blocking_scope::registration&>(node);
        if (entry.source == &source) entry.wait->wake();
    });
}

}  // namespace rondo
