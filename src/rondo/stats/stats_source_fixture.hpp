// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/stats/stats_source.hpp>

namespace rondo {

/// What is told of something that views use; of all of the group together when `of` is empty.
inline std::uint64_t told(std::string_view group, std::string_view of, std::string_view name) {
    std::uint64_t sum = 0;
    for (const observed::figures& f : observed::look()) {
        if (f.group != group || (!of.empty() && f.name != of)) continue;
        for (std::size_t i = 0; i < f.texts.size(); ++i)
            if (f.texts[i].name == name) sum += f.values[i];
    }
    return sum;
}

}  // namespace rondo
