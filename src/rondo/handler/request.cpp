// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/request.hpp>

namespace rondo::handler {

stats::running_request* request::enter(stats::request_state state) noexcept {
    if (stats == nullptr) return nullptr;
    if (running_row == 0) running_row = stats->acquire_row(view_row, arrived);
    stats::running_request* const entry = stats->running_row(running_row);
    if (entry == nullptr) return nullptr;
    if (has_own_thread && state == stats::request_state::loop) state = stats::request_state::pool_thread;
    if (context != nullptr && !has_own_thread) context->thread_time = &entry->loop_time;
    // A request can wait before its view is known, in a middleware.
    store_relaxed(entry->view_row, view_row);
    entry->enter(state);
    return entry;
}

}  // namespace rondo::handler
