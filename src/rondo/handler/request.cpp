// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/request.hpp>

namespace rondo::handler {

stats::running_request* request::goes(stats::place state) noexcept {
    if (serving == nullptr) return nullptr;
    if (row == 0) row = serving->take_row(view, arrived);
    stats::running_request* const entry = serving->row(row);
    if (entry == nullptr) return nullptr;
    if (on_thread && state == stats::place::loop) state = stats::place::pool_thread;
    if (running_in != nullptr && !on_thread) running_in->held = &entry->held;
    // A request can wait before its view is known, in a middleware.
    set_to(entry->view, view);
    entry->goes(state);
    return entry;
}

}  // namespace rondo::handler
