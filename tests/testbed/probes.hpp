// SPDX-License-Identifier: Apache-2.0
// Views that wait, block, stream and count, for tests of the server.
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Views for tests of the server's behaviour: they wait, block and stream, and count how they end.
/// `in` is the application that they are mounted in; they use its background groups.
[[nodiscard]] rondo::app probes(rondo::app& in);

}  // namespace testbed
