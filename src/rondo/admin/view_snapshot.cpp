// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/view_snapshot.hpp>

#include <numeric>
#include <tuple>

#include <rondo/admin/snapshot_fields.hpp>

namespace rondo::admin {

namespace {

constexpr std::tuple view_counters{
    field(&view_snapshot::by_class, &stats::view_stats::by_class),
    field(&view_snapshot::stalls, &stats::view_stats::stalls),
    field(&view_snapshot::wall_ns, &stats::view_stats::wall_ns),
    field(&view_snapshot::loop_ns, &stats::view_stats::loop_ns),
    field(&view_snapshot::queue_ns, &stats::view_stats::queue_ns),
    field(&view_snapshot::thread_ns, &stats::view_stats::thread_ns),
    field(&view_snapshot::measured_ns, &stats::view_stats::measured_ns),
    field(&view_snapshot::cpu_ns, &stats::view_stats::cpu_ns),
    field(&view_snapshot::latency, &stats::view_stats::latency),
};

}  // namespace

std::uint64_t view_snapshot::requests() const noexcept {
    return std::accumulate(by_class.begin(), by_class.end(), std::uint64_t{0});
}

bool view_snapshot::is_same_view(const view_snapshot& other) const noexcept {
    return pattern == other.pattern && methods == other.methods && kind == other.kind;
}

void view_snapshot::add(const view_snapshot& other) noexcept {
    add_each(view_counters, *this, other);
    running += other.running;
}

view_snapshot read_view(const stats::view_stats& counters) {
    view_snapshot v;
    const stats::view_name name = counters.name();
    v.pattern = name.pattern;
    v.methods = name.methods;
    v.kind = name.kind;
    load_each(view_counters, v, counters);
    return v;
}

}  // namespace rondo::admin
