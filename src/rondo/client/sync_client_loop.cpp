// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/sync_client_loop.hpp>

#include <rondo/loop/loop_thread.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::detail {

namespace {

constexpr std::size_t resolver_thread_count = 2;

}  // namespace

struct sync_client_loop::state {
    thread_pool resolver_pool{{.name = "client names", .threads = resolver_thread_count}};
    loop_thread thread{{.name = "client", .blocking = &resolver_pool}};
};

sync_client_loop::sync_client_loop() = default;
sync_client_loop::~sync_client_loop() = default;

bool sync_client_loop::reset_after_fork() noexcept {
    const std::scoped_lock lock(mutex_);
    if (process_.is_own()) return false;
    process_.renew();
    [[maybe_unused]] auto* thread = state_.release();
    return true;
}

event_loop& sync_client_loop::loop() {
    const std::scoped_lock lock(mutex_);
    if (!state_) state_ = std::make_unique<state>();
    return state_->thread.loop();
}

}  // namespace rondo::detail
