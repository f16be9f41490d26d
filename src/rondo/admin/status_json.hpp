// SPDX-License-Identifier: Apache-2.0
// The JSON bodies of GET /status.json and GET /requests of the admin listener.
#pragma once

#include <cstdint>
#include <string>

#include <rondo/admin/stats_snapshot.hpp>

namespace rondo::admin {

/// The stats, including those shown by the dashboard only, as a JSON object. `at_ms`: milliseconds since 1970.
[[nodiscard]] std::string status_json(const stats_snapshot& snapshot, std::int64_t at_ms);
/// The running requests: {"running": [...], "not_listed": n}.
[[nodiscard]] std::string requests_json(const stats_snapshot& snapshot);

}  // namespace rondo::admin
