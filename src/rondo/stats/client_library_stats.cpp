// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/client_library_stats.hpp>

#include <new>
#include <utility>

namespace rondo::stats {

std::uint64_t client_library_sampler::previous_value(const stats_source::snapshot& now, std::size_t i) const noexcept {
    for (const stats_source::snapshot& b : previous_)
        if (b.group == now.group && b.name == now.name) return b.values[i];
    return 0;
}

void client_library_sampler::sample(worker_stats& to) noexcept {
    try {
        add_growth(to);
    } catch (const std::bad_alloc&) {
        // The next sample() makes up for it.
    }
}

void client_library_sampler::add_growth(worker_stats& to) {
    std::vector<stats_source::snapshot> now = stats_source::snapshot_all();
    for (const stats_source::snapshot& s : now) {
        for (std::size_t i = 0; i < s.descriptors.size(); ++i) {
            client_library_stat* const row = to.client_library_stat_row(s.group, s.name, s.descriptors[i]);
            if (row == nullptr) continue;
            if (!s.descriptors[i].is_counter) store_relaxed(row->value, s.values[i]);
            else if (s.values[i] > previous_value(s, i)) add_relaxed(row->value, s.values[i] - previous_value(s, i));
        }
    }
    previous_ = std::move(now);
}

}  // namespace rondo::stats
