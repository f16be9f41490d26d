// SPDX-License-Identifier: Apache-2.0
// Reads the values of stats sources in tests.
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/stats/stats_source.hpp>

namespace rondo {

/// The value of a metric of the source named `source`, or of all sources of the group when that is empty.
inline std::uint64_t stats_value(std::string_view group, std::string_view source, std::string_view metric) {
    std::uint64_t sum = 0;
    for (const stats_source::snapshot& f : stats_source::snapshot_all()) {
        if (f.group != group || (!source.empty() && f.name != source)) continue;
        for (std::size_t i = 0; i < f.descriptors.size(); ++i)
            if (f.descriptors[i].name == metric) sum += f.values[i];
    }
    return sum;
}

}  // namespace rondo
