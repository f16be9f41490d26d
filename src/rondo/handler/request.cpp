// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/request.hpp>

namespace rondo::handler {

stats::running_request* request::goes(stats::place to) noexcept {
    if (serving == nullptr) return nullptr;
    const bool first = row == 0;
    if (first) row = serving->take_row(view, arrived);
    stats::running_request* const taken = serving->row(row);
    if (taken == nullptr) return nullptr;
    if (on_thread && to == stats::place::loop) to = stats::place::pool_thread;
    if (running_in != nullptr && !on_thread) running_in->held = &taken->held;
    // A request can wait before its view is known: in a middleware.
    set_to(taken->view, view);
    taken->goes(to);
    return taken;
}

}  // namespace rondo::handler
