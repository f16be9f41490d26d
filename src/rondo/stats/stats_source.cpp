// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/stats_source.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace rondo {

struct stats_source::registry {
    std::mutex mutex;
    std::vector<const stats_source*> sources;
    std::vector<snapshot> retired;  ///< the counters of destroyed sources
};

// Never destroyed: sources with static storage may be destroyed later.
stats_source::registry& stats_source::instance() {
    static registry& sources = *new registry;
    return sources;
}

stats_source::stats_source(std::string_view group, std::span<const metric_descriptor> descriptors,
                           std::function<std::string()> name, read_function read)
    : group_(group), descriptors_(descriptors), name_(std::move(name)), read_(std::move(read)) {
    registry& r = instance();
    const std::scoped_lock lock(r.mutex);
    r.sources.push_back(this);
}

stats_source::~stats_source() {
    registry& r = instance();
    const std::scoped_lock lock(r.mutex);
    std::erase(r.sources, this);
    try {
        add_values_to(r.retired, true);
    } catch (const std::exception&) {
        // Its last counts are lost.
    }
}

void stats_source::add_values_to(std::vector<snapshot>& to, bool counters_only) const {
    std::vector<std::uint64_t> values(descriptors_.size());
    if (!read_(values)) return;
    const std::string name = name_ ? name_() : std::string();
    auto entry = std::ranges::find_if(to, [&](const snapshot& s) { return s.group == group_ && s.name == name; });
    if (entry == to.end())
        entry = to.insert(to.end(), {group_, name, descriptors_, std::vector<std::uint64_t>(descriptors_.size())});
    for (std::size_t i = 0; i < descriptors_.size(); ++i)
        if (descriptors_[i].is_counter || !counters_only) entry->values[i] += values[i];
}

std::vector<stats_source::snapshot> stats_source::snapshot_all() {
    registry& r = instance();
    const std::scoped_lock lock(r.mutex);
    std::vector<snapshot> result = r.retired;
    for (const stats_source* source : r.sources) {
        try {
            source->add_values_to(result, false);
        } catch (const std::exception&) {
            // Its name is not known yet: it is included later.
        }
    }
    return result;
}

}  // namespace rondo
