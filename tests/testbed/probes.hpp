// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Views that tests of the server's behaviour look through: they wait, block, stream, and count what became of them.
/// `in` is the application that they are mounted in, whose background they use.
[[nodiscard]] rondo::app probes(rondo::app& in);

}  // namespace testbed
