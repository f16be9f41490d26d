// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/coro/task.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace wall {

/// GET /figures: a page with live plots.
[[nodiscard]] rondo::task<rondo::response> figures_page(rondo::request& req);
/// GET /figures.json: what the server counts, and what the kernel says of the process, now.
[[nodiscard]] rondo::task<rondo::response> figures_now(rondo::request& req);
/// GET /figures/events: the same once a second, as server-sent events.
[[nodiscard]] rondo::task<rondo::response> figures_events(rondo::request& req);

}  // namespace wall
