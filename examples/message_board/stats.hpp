// SPDX-License-Identifier: Apache-2.0
// The page of live stats and its JSON.
#pragma once

#include <rondo/coro/task.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace message_board {

/// GET /stats: a page with live plots.
[[nodiscard]] rondo::task<rondo::response> stats_page(rondo::request& req);
/// GET /stats.json: the server's counters, and the threads and memory of the process, now.
[[nodiscard]] rondo::task<rondo::response> stats_json(rondo::request& req);
/// GET /stats/events: the same once a second, as server-sent events.
[[nodiscard]] rondo::task<rondo::response> stats_events(rondo::request& req);

}  // namespace message_board
