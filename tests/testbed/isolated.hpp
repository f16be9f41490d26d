// SPDX-License-Identifier: Apache-2.0
// Isolated views: compute, fail, crash, block.
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Adds isolated views of the pool "model" that wait, crash, allocate and stream, but only when the environment has
/// TESTBED_ISOLATED: each pool costs a process. The value, or the first line of the file that it names, can be
/// - "broken": adds a pool whose factory fails
/// - "renamed": calls the pool "other"
/// - "more": adds /isolated/more
/// - "overwrite": adds /isolated/overwrite, which overwrites all shared memory that it can reach
/// Loading "model" takes until the file named by TESTBED_LOADS_WHILE is removed.
void add_isolated(rondo::app& to);

}  // namespace testbed
