// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/sync_client_loop.hpp>

#include <rondo/loop/loop_thread.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::detail {

namespace {

constexpr std::size_t resolver_threads = 2;

}  // namespace

struct client_background::state {
    thread_pool resolving{{.name = "client names", .threads = resolver_threads}};
    loop_thread thread{{.name = "client", .blocking = &resolving}};
};

client_background::client_background() = default;
client_background::~client_background() = default;

bool client_background::leave_parents() noexcept {
    const std::scoped_lock lock(starting_);
    if (process_.is_own()) return false;
    process_.renew();
    [[maybe_unused]] auto* thread = state_.release();
    return true;
}

event_loop& client_background::loop() {
    const std::scoped_lock lock(starting_);
    if (!state_) state_ = std::make_unique<state>();
    return state_->thread.loop();
}

}  // namespace rondo::detail
