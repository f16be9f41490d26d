// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/coro/task.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace message_board {

/// GET /views: a page that shows what the kinds of views are for.
[[nodiscard]] rondo::task<rondo::response> views_page(rondo::request& req);

/// GET /slow?ms=: waits on the event loop, 10 s at most. An async view: waiting is free.
[[nodiscard]] rondo::task<rondo::response> slow(rondo::request& req);
/// GET /slow-sync?ms=: waits on a thread. A sync view: as many wait at once as there are threads, the others queue.
[[nodiscard]] rondo::response slow_sync(rondo::request& req);

/// GET /race?kind=async|sync&calls=&ms=: starts so many waits at once, as /slow or as /slow-sync has them, and says
/// when each ended: a line {"call", "ms"} for each, as they end. A browser opens six connections at most, so the
/// server starts them.
[[nodiscard]] rondo::task<rondo::response> race(rondo::request& req);

/// GET /drip: a slow stream, one line every 300 ms.
[[nodiscard]] rondo::task<rondo::response> drip(rondo::request& req);

}  // namespace message_board
