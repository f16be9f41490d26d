// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/view_snapshot.hpp>

#include <numeric>
#include <tuple>

#include <rondo/admin/stat_fields.hpp>

namespace rondo::admin {

namespace {

constexpr std::tuple counts{
    kept_in(&view_totals::by_class, &stats::view_figures::by_class),
    kept_in(&view_totals::stalls, &stats::view_figures::stalls),
    kept_in(&view_totals::wall_ns, &stats::view_figures::wall_ns),
    kept_in(&view_totals::loop_ns, &stats::view_figures::loop_ns),
    kept_in(&view_totals::queue_ns, &stats::view_figures::queue_ns),
    kept_in(&view_totals::thread_ns, &stats::view_figures::thread_ns),
    kept_in(&view_totals::measured_ns, &stats::view_figures::measured_ns),
    kept_in(&view_totals::cpu_ns, &stats::view_figures::cpu_ns),
    kept_in(&view_totals::latency, &stats::view_figures::latency),
};

}  // namespace

std::uint64_t view_totals::requests() const noexcept {
    return std::accumulate(by_class.begin(), by_class.end(), std::uint64_t{0});
}

bool view_totals::same_view(const view_totals& other) const noexcept {
    return pattern == other.pattern && methods == other.methods && kind == other.kind;
}

void view_totals::add(const view_totals& other) noexcept {
    add_each(counts, *this, other);
    running += other.running;
}

view_totals read(const stats::view_figures& figures) {
    view_totals v;
    const stats::view_name name = figures.name();
    v.pattern = name.pattern;
    v.methods = name.methods;
    v.kind = name.kind;
    read_each(counts, v, figures);
    return v;
}

}  // namespace rondo::admin
