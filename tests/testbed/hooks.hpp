// SPDX-License-Identifier: Apache-2.0
// Lifespan hooks that record when they run.
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Adds hooks that each append a line with `<name> <process id>` and their arguments to the file named by
/// TESTBED_HOOKS; without the variable it adds none. `before` throws for a request with the field `X-Before: throw`,
/// `reload` when TESTBED_RELOAD_FAILS is set.
void add_hooks(rondo::app& app);

}  // namespace testbed
