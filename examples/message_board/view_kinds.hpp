// SPDX-License-Identifier: Apache-2.0
// The views that compare the kinds of views: waiting, blocking, streaming.
#pragma once

#include <rondo/coro/task.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace message_board {

/// GET /views: a page that shows the purpose of each kind of view.
[[nodiscard]] rondo::task<rondo::response> views_page(rondo::request& req);

/// GET /slow?ms=: waits on the event loop, 10 s at most. An async view: it uses no thread while it waits.
[[nodiscard]] rondo::task<rondo::response> slow(rondo::request& req);
/// GET /slow-sync?ms=: waits on a thread. A sync view: the number of threads limits how many wait at once; the others
/// queue.
[[nodiscard]] rondo::response slow_sync(rondo::request& req);

/// GET /race?kind=async|sync&calls=&ms=: starts `calls` waits at once, as in /slow or /slow-sync, and streams a line
/// {"call", "ms"} as each ends. A browser opens at most six connections, so the server starts the waits.
[[nodiscard]] rondo::task<rondo::response> race(rondo::request& req);

/// GET /drip: a slow stream, one line every 300 ms.
[[nodiscard]] rondo::task<rondo::response> drip(rondo::request& req);

}  // namespace message_board
