// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Isolated views, of the names "model" and "broken", that wait, die, grow and stream. Only when the environment has
/// TESTBED_ISOLATED: a name is a process more. Its value "broken" adds a factory that fails.
void add_isolated(rondo::app& to);

}  // namespace testbed
