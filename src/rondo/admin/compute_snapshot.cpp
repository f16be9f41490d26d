// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/compute_snapshot.hpp>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>

#include <rondo/admin/stat_fields.hpp>

namespace rondo::admin {

namespace {

// Counters survive their worker; gauges belong to a live one.
constexpr std::tuple demand_counts{
    kept_in(&compute_totals::ended, &stats::compute_demand::ended),
    kept_in(&compute_totals::queue_ns, &stats::compute_demand::queue_ns),
    kept_in(&compute_totals::queue, &stats::compute_demand::queue),
};
constexpr std::tuple demand_gauges{
    kept_in(&compute_totals::waiting, &stats::compute_demand::waiting),
    kept_in(&compute_totals::running, &stats::compute_demand::running),
};
constexpr std::tuple process_counts{
    kept_in(&compute_totals::starts, &stats::compute_figures::starts),
    kept_in(&compute_totals::crashes, &stats::compute_figures::crashes),
    kept_in(&compute_totals::wall_ns, &stats::compute_figures::wall_ns),
    kept_in(&compute_totals::cpu_ns, &stats::compute_figures::cpu_ns),
    kept_in(&compute_totals::wall, &stats::compute_figures::wall),
    kept_in(&compute_totals::cpu, &stats::compute_figures::cpu),
};

// Truncates long names as the workers do.
compute_totals& of_name(std::vector<compute_totals>& all, std::string_view name) {
    name = name.substr(0, sizeof(stats::compute_demand::name) - 1);
    const auto known = std::ranges::find(all, name, &compute_totals::name);
    if (known != all.end()) return *known;
    compute_totals& added = all.emplace_back();
    added.name = name;
    return added;
}

void add(compute_totals& to, const stats::compute_demand& d, bool alive) {
    compute_totals more;
    read_each(demand_counts, more, d);
    read_each(demand_gauges, more, d);
    add_each(demand_counts, to, more);
    if (alive) add_each(demand_gauges, to, more);
    else to.ended[static_cast<std::size_t>(stats::job_end::cancelled)] += more.waiting + more.running;
}

void add(compute_totals& to, const stats::compute_figures& f, bool counts) {
    compute_totals more;
    read_each(process_counts, more, f);
    add_each(process_counts, to, more);
    // It crashed, and its successor has not counted that yet.
    if (!counts && figure_of(f.process) != 0) ++to.crashes;
}

compute_process process_of(const compute_source& source, bool counts, std::int64_t now) {
    compute_process p{.name = source.name,
                      .state = source.ending  ? "draining"
                               : source.ready ? "idle"
                                              : "starting",
                      .process = source.process,
                      .resident_bytes = source.resident_bytes};
    if (!counts) return p;
    p.age_ns = now - figure_of(source.figures->started_ns);
    p.jobs = figure_of(source.figures->jobs);
    const std::int64_t since = figure_of(source.figures->busy_since_ns);
    if (since == 0) return p;
    p.busy_ns = std::max<std::int64_t>(now - since, 1);
    if (!source.ending) p.state = "busy";
    return p;
}

}  // namespace

std::uint64_t compute_totals::busy() const noexcept {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(processes, [](const compute_process& p) { return p.busy_ns > 0; }));
}

std::uint64_t compute_totals::resident_bytes() const noexcept {
    return std::accumulate(processes.begin(), processes.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const compute_process& p) { return sum + p.resident_bytes; });
}

void add_demand(std::vector<compute_totals>& to, const stats::statistics& worker, bool alive) {
    for (const stats::compute_demand& d : worker.computers)
        if (d.used.load(std::memory_order_acquire) != 0) add(of_name(to, d.name.data()), d, alive);
}

void add_processes(std::vector<compute_totals>& to, std::span<const compute_source> sources, instant now) {
    for (const compute_source& source : sources) {
        compute_totals& group = of_name(to, source.group);
        // False while the memory still holds the stats of its predecessor.
        const bool counts =
            source.alive && source.figures != nullptr && figure_of(source.figures->process) == source.process;
        if (source.figures != nullptr) add(group, *source.figures, counts);
        if (source.alive) group.processes.push_back(process_of(source, counts, now.time_since_epoch().count()));
    }
}

}  // namespace rondo::admin
