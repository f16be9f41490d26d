// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/view_totals.hpp>

#include <numeric>
#include <tuple>

#include <rondo/server/figure_list.hpp>

namespace rondo::server {

namespace {

using handler::view_figures;

constexpr std::tuple counts{
    kept_in(&view_totals::by_class, &view_figures::by_class),
    kept_in(&view_totals::stalls, &view_figures::stalls),
    kept_in(&view_totals::wall_ns, &view_figures::wall_ns),
    kept_in(&view_totals::loop_ns, &view_figures::loop_ns),
    kept_in(&view_totals::queue_ns, &view_figures::queue_ns),
    kept_in(&view_totals::thread_ns, &view_figures::thread_ns),
    kept_in(&view_totals::measured_ns, &view_figures::measured_ns),
    kept_in(&view_totals::cpu_ns, &view_figures::cpu_ns),
    kept_in(&view_totals::latency, &view_figures::latency),
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

view_totals read(const view_figures& from) {
    view_totals v;
    const handler::view_name name = from.name();
    v.pattern = name.pattern;
    v.methods = name.methods;
    v.kind = name.kind;
    read_each(counts, v, from);
    return v;
}

}  // namespace rondo::server
