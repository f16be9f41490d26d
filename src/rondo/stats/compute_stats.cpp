// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/compute_stats.hpp>

#include <rondo/stats/placed_in.hpp>

namespace rondo::stats {

std::string_view to_string(job_end outcome) noexcept {
    switch (outcome) {
        case job_end::done: return "done";
        case job_end::lost: return "lost";
        case job_end::late: return "late";
        case job_end::refused: return "refused";
        case job_end::cancelled: return "cancelled";
    }
    return {};
}

void compute_demand::begun(std::int64_t waited_ns) noexcept {
    waiting.fetch_sub(1, std::memory_order_relaxed);
    running.fetch_add(1, std::memory_order_relaxed);
    queue_ns.fetch_add(waited_ns, std::memory_order_relaxed);
    queue[latency::bucket_of(waited_ns)].fetch_add(1, std::memory_order_relaxed);
}

void compute_demand::over(job_end outcome, bool was_started) noexcept {
    (was_started ? running : waiting).fetch_sub(1, std::memory_order_relaxed);
    count(outcome);
}

void compute_demand::nobody_waits() noexcept {
    const std::uint64_t unfinished = waiting.exchange(0) + running.exchange(0);
    ended[static_cast<std::size_t>(job_end::cancelled)].fetch_add(unfinished, std::memory_order_relaxed);
}

compute_figures& compute_figures::in(std::span<std::byte> memory) { return figures_in<compute_figures>(memory); }

const compute_figures* compute_figures::look(std::span<const std::byte> memory) noexcept {
    return look_at_figures<compute_figures>(memory);
}

void compute_figures::begin(int process_id) noexcept {
    if (process.load(std::memory_order_relaxed) != 0) add_to(crashes, 1);
    add_to(starts, 1);
    set_to(busy_since_ns, 0);
    set_to(started_ns, clock::now().time_since_epoch().count());
    set_to(process, process_id);
}

void compute_figures::begin_job(instant now) noexcept { set_to(busy_since_ns, now.time_since_epoch().count()); }

void compute_figures::end_job(instant now, std::int64_t cpu_time) noexcept {
    const std::int64_t wall_time = now.time_since_epoch().count() - busy_since_ns.load(std::memory_order_relaxed);
    set_to(busy_since_ns, 0);
    add_to(jobs, 1);
    add_to(wall_ns, wall_time);
    add_to(cpu_ns, cpu_time);
    latency::count(wall, wall_time);
    latency::count(cpu, cpu_time);
}

}  // namespace rondo::stats
