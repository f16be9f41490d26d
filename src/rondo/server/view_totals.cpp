// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/view_totals.hpp>

#include <numeric>

namespace rondo::server {

std::uint64_t view_totals::requests() const noexcept {
    return std::accumulate(by_class.begin(), by_class.end(), std::uint64_t{0});
}

bool view_totals::same_view(const view_totals& other) const noexcept {
    return pattern == other.pattern && methods == other.methods && kind == other.kind;
}

void view_totals::add(const view_totals& other) noexcept {
    for (std::size_t i = 0; i < by_class.size(); ++i) by_class[i] += other.by_class[i];
    for (std::size_t i = 0; i < latency.size(); ++i) latency[i] += other.latency[i];
    stalls += other.stalls;
    running += other.running;
    wall_ns += other.wall_ns;
    loop_ns += other.loop_ns;
    queue_ns += other.queue_ns;
    thread_ns += other.thread_ns;
    measured_ns += other.measured_ns;
    cpu_ns += other.cpu_ns;
}

view_totals read(const handler::view_figures& from) {
    const auto get = [](const auto& figure) { return figure.load(std::memory_order_relaxed); };
    view_totals v;
    const handler::view_name name = from.name();
    v.pattern = name.pattern;
    v.methods = name.methods;
    v.kind = name.kind;
    for (std::size_t i = 0; i < v.by_class.size(); ++i) v.by_class[i] = get(from.by_class[i]);
    for (std::size_t i = 0; i < v.latency.size(); ++i) v.latency[i] = get(from.latency[i]);
    v.stalls = get(from.stalls);
    v.wall_ns = get(from.wall_ns);
    v.loop_ns = get(from.loop_ns);
    v.queue_ns = get(from.queue_ns);
    v.thread_ns = get(from.thread_ns);
    v.measured_ns = get(from.measured_ns);
    v.cpu_ns = get(from.cpu_ns);
    return v;
}

}  // namespace rondo::server
