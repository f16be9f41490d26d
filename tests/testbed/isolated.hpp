// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Isolated views, of the name "model", that wait, die, grow and stream. Only when the environment has
/// TESTBED_ISOLATED: a name is a process more. Its value, or the first line of the file that it names, may be "broken":
/// a name with a factory that fails; "renamed": the name is "other"; "more": /isolated/more is there; "spoil": so is
/// /isolated/spoil, which overwrites all memory that it shares.
/// To load "model" takes as long as the file that TESTBED_LOADS_WHILE names is there.
void add_isolated(rondo::app& to);

}  // namespace testbed
