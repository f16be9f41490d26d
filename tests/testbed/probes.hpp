// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Views that tests of the server's behaviour look through: they wait, block, stream, and count what became of them.
[[nodiscard]] rondo::app probes();

}  // namespace testbed
