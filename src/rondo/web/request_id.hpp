// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/middleware.hpp>

namespace rondo {

/// Middleware: `app.use(rondo::request_id)`. Every response says its request's id in X-Request-ID, which logs have too.
/// An id that the client (a proxy in front) sent is kept when it is 1 to 128 letters, digits or any of "-_.:+/=@".
[[nodiscard]] task<response> request_id(request& req, next next);

}  // namespace rondo
