// SPDX-License-Identifier: Apache-2.0
// Middleware that sends the request id as X-Request-ID.
#pragma once

#include <rondo/web/middleware.hpp>

namespace rondo {

/// Middleware: `app.use(rondo::request_id)`. Every response carries the id of its request in X-Request-ID, the same id
/// that logs show. An id sent by the client or a proxy is used if it has 1 to 128 letters, digits or any of "-_.:+/=@".
[[nodiscard]] task<response> request_id(request& req, next next);

}  // namespace rondo
