// SPDX-License-Identifier: Apache-2.0
// Reads a request body into a spool.
#pragma once

#include <rondo/base/spool.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>

namespace rondo {

/// Reads a body to its end into a spool, writing to the spool's file on the blocking pool. Throws what body::read()
/// throws.
[[nodiscard]] task<void> read_to_end(handler::body& from, spool& to);

}  // namespace rondo
