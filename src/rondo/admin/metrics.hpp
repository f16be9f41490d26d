// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <rondo/admin/stats_snapshot.hpp>

namespace rondo::admin {

/// The figures in Prometheus' text format, version 0.0.4. Views are told for all workers together, what belongs to a
/// process with its label `worker`. docs/observability.md lists the names.
[[nodiscard]] std::string metrics_text(const overview& figures);
inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

/// The same figures, and what the page shows of them, as one JSON object. `at_ms`: the time of day.
[[nodiscard]] std::string status_json(const overview& figures, std::int64_t at_ms);
/// Only the running requests: {"running": [...], "not_listed": n}.
[[nodiscard]] std::string requests_json(const overview& figures);

}  // namespace rondo::admin
