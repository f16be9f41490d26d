// SPDX-License-Identifier: Apache-2.0
// Judges from the stats of a view whether it has the right kind.
#pragma once

#include <string>

#include <rondo/admin/view_snapshot.hpp>

namespace rondo::admin {

/// Returns what to change about a view, as a sentence without its subject; empty when nothing is wrong or the view had
/// fewer than twenty requests. Judges the mean of all requests since the start.
[[nodiscard]] std::string advice(const view_snapshot& view);

}  // namespace rondo::admin
