// SPDX-License-Identifier: Apache-2.0
// Renders the stats in the Prometheus text format.
#pragma once

#include <string>
#include <string_view>

#include <rondo/admin/stats_snapshot.hpp>

namespace rondo::admin {

/// The stats in the Prometheus text format, version 0.0.4. Metrics of views are sums over all workers; metrics of a
/// worker have the label `worker`. docs/observability.md lists the names.
[[nodiscard]] std::string metrics_text(const stats_snapshot& snapshot);
/// The media type of metrics_text().
inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace rondo::admin
