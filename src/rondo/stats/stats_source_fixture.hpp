// SPDX-License-Identifier: Apache-2.0
// Reads the values of stats sources in tests.
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/stats/stats_source.hpp>

namespace rondo {

/// The value of a metric of the source named `source`, or of all sources of the group when that is empty.
inline std::uint64_t told(std::string_view group, std::string_view source, std::string_view metric) {
    std::uint64_t sum = 0;
    for (const observed::figures& f : observed::look()) {
        if (f.group != group || (!source.empty() && f.name != source)) continue;
        for (std::size_t i = 0; i < f.texts.size(); ++i)
            if (f.texts[i].name == metric) sum += f.values[i];
    }
    return sum;
}

}  // namespace rondo
