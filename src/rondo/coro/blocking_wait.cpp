// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking_wait.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

namespace rondo {

namespace {

thread_local constinit works_for* current = nullptr;

// The waits of all threads for which somebody may be cancelled. A cancellation looks here only when its source was once
// waited for.
struct waits {
    std::mutex mutex;
    intrusive_list<list_node> places;
};

waits& all() noexcept {
    // Never destroyed: threads may end after main().
    alignas(waits) static std::array<std::byte, sizeof(waits)> room;
    static waits& those = *::new (room.data()) waits;
    return those;
}

}  // namespace

works_for::works_for(context* in) noexcept : in_(in), outer_(current) { current = this; }
works_for::~works_for() { current = outer_; }

blocking_wait::blocking_wait() noexcept : innermost_(current) {
    const std::scoped_lock held(all().mutex);
    for (works_for* at = innermost_; at != nullptr && at->in_ != nullptr; at = at->outer_) {
        deadline_ = std::min(deadline_, at->in_->deadline);
        at->place_.of = &at->in_->cancel;
        at->place_.waits = this;
        all().places.push_back(at->place_);
        at->in_->cancel.watch_blocked();
    }
}

blocking_wait::~blocking_wait() {
    const std::scoped_lock held(all().mutex);
    for (works_for* at = innermost_; at != nullptr && at->in_ != nullptr; at = at->outer_) at->place_.unlink();
}

cancel_reason blocking_wait::reason() const noexcept {
    for (works_for* at = innermost_; at != nullptr && at->in_ != nullptr; at = at->outer_) {
        if (at->in_->cancel.requested()) return at->in_->cancel.reason();
    }
    return cancel_reason::none;
}

void blocking_wait::check() const {
    if (const cancel_reason why = reason(); why != cancel_reason::none) throw cancelled{why};
    if (deadline_ != instant::max() && clock::now() >= deadline_) throw cancelled{cancel_reason::deadline};
}

void blocking_wait::done() noexcept {
    // Notified under the lock: as soon as it is released, the waiting thread may destroy this.
    const std::scoped_lock held(mutex_);
    done_ = true;
    changed_.notify_one();
}

void blocking_wait::look() noexcept {
    const std::scoped_lock held(mutex_);
    changed_.notify_one();
}

bool blocking_wait::wait(instant until) {
    const instant end = std::min(until, deadline_);
    const auto over = [this] { return done_ || reason() != cancel_reason::none; };
    std::unique_lock held(mutex_);
    if (end == instant::max()) changed_.wait(held, over);
    else changed_.wait_until(held, end, over);
    if (done_) return true;
    check();
    return false;
}

void blocking_wait::wait_to_the_end() noexcept {
    std::unique_lock held(mutex_);
    changed_.wait(held, [this] { return done_; });
}

void wake_blocked(cancel_source& of) noexcept {
    const std::scoped_lock held(all().mutex);
    all().places.for_each([&of](list_node& node) {
        auto& place = static_cast<works_for::place&>(node);
        if (place.of == &of) place.waits->look();
    });
}

}  // namespace rondo
