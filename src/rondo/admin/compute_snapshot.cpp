// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/compute_snapshot.hpp>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>

#include <rondo/admin/snapshot_fields.hpp>

namespace rondo::admin {

namespace {

// Counters survive their worker; gauges belong to a live one.
constexpr std::tuple queue_counters{
    field(&compute_pool_snapshot::outcomes, &stats::compute_queue_stats::by_outcome),
    field(&compute_pool_snapshot::queue_ns, &stats::compute_queue_stats::queue_ns),
    field(&compute_pool_snapshot::queue, &stats::compute_queue_stats::queue_histogram),
};
constexpr std::tuple queue_gauges{
    field(&compute_pool_snapshot::waiting, &stats::compute_queue_stats::waiting),
    field(&compute_pool_snapshot::running, &stats::compute_queue_stats::running),
};
constexpr std::tuple process_counters{
    field(&compute_pool_snapshot::starts, &stats::compute_stats::starts),
    field(&compute_pool_snapshot::crashes, &stats::compute_stats::crashes),
    field(&compute_pool_snapshot::wall_ns, &stats::compute_stats::wall_ns),
    field(&compute_pool_snapshot::cpu_ns, &stats::compute_stats::cpu_ns),
    field(&compute_pool_snapshot::wall, &stats::compute_stats::wall_histogram),
    field(&compute_pool_snapshot::cpu, &stats::compute_stats::cpu_histogram),
};

// Truncates long names as the workers do.
compute_pool_snapshot& find_or_add(std::vector<compute_pool_snapshot>& pools, std::string_view name) {
    name = name.substr(0, sizeof(stats::compute_queue_stats::name) - 1);
    const auto found = std::ranges::find(pools, name, &compute_pool_snapshot::name);
    if (found != pools.end()) return *found;
    compute_pool_snapshot& added = pools.emplace_back();
    added.name = name;
    return added;
}

void add(compute_pool_snapshot& to, const stats::compute_queue_stats& d, bool alive) {
    compute_pool_snapshot more;
    load_each(queue_counters, more, d);
    load_each(queue_gauges, more, d);
    add_each(queue_counters, to, more);
    if (alive) add_each(queue_gauges, to, more);
    else to.outcomes[static_cast<std::size_t>(stats::job_outcome::cancelled)] += more.waiting + more.running;
}

void add(compute_pool_snapshot& to, const stats::compute_stats& f, bool counts) {
    compute_pool_snapshot more;
    load_each(process_counters, more, f);
    add_each(process_counters, to, more);
    // It crashed, and its successor has not counted that yet.
    if (!counts && load_value(f.pid) != 0) ++to.crashes;
}

compute_process make_process(const compute_source& source, bool counts, std::int64_t now) {
    compute_process p{.name = source.name,
                      .state = source.draining ? "draining"
                               : source.ready  ? "idle"
                                               : "starting",
                      .pid = source.pid,
                      .resident_bytes = source.resident_bytes};
    if (!counts) return p;
    p.age_ns = now - load_value(source.counters->started_ns);
    p.jobs = load_value(source.counters->jobs);
    const std::int64_t since = load_value(source.counters->busy_since_ns);
    if (since == 0) return p;
    p.busy_ns = std::max<std::int64_t>(now - since, 1);
    if (!source.draining) p.state = "busy";
    return p;
}

}  // namespace

std::uint64_t compute_pool_snapshot::busy() const noexcept {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(processes, [](const compute_process& p) { return p.busy_ns > 0; }));
}

std::uint64_t compute_pool_snapshot::resident_bytes() const noexcept {
    return std::accumulate(processes.begin(), processes.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const compute_process& p) { return sum + p.resident_bytes; });
}

void add_queue(std::vector<compute_pool_snapshot>& to, const stats::worker_stats& worker, bool alive) {
    for (const stats::compute_queue_stats& d : worker.compute_queues)
        if (d.in_use.load(std::memory_order_acquire) != 0) add(find_or_add(to, d.name.data()), d, alive);
}

void add_processes(std::vector<compute_pool_snapshot>& to, std::span<const compute_source> sources, instant now) {
    for (const compute_source& source : sources) {
        compute_pool_snapshot& group = find_or_add(to, source.group);
        // False while the memory still holds the stats of its predecessor.
        const bool counts =
            source.alive && source.counters != nullptr && load_value(source.counters->pid) == source.pid;
        if (source.counters != nullptr) add(group, *source.counters, counts);
        if (source.alive) group.processes.push_back(make_process(source, counts, now.time_since_epoch().count()));
    }
}

}  // namespace rondo::admin
