// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Each hook adds a line, `<name> <process id>` and what it was given, to the file that TESTBED_HOOKS names; without it
/// there are no hooks. `before` throws at a request with the field `X-Before: throw`, `reload` when
/// TESTBED_RELOAD_FAILS is set.
void add_hooks(rondo::app& app);

}  // namespace testbed
