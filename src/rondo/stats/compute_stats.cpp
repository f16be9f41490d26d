// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/compute_stats.hpp>

#include <rondo/stats/shared_layout.hpp>

namespace rondo::stats {

std::string_view to_string(job_outcome outcome) noexcept {
    switch (outcome) {
        case job_outcome::done: return "done";
        case job_outcome::lost: return "lost";
        case job_outcome::timed_out: return "timed_out";
        case job_outcome::refused: return "refused";
        case job_outcome::cancelled: return "cancelled";
    }
    return {};
}

void compute_queue_stats::count_started(std::int64_t waited_ns) noexcept {
    waiting.fetch_sub(1, std::memory_order_relaxed);
    running.fetch_add(1, std::memory_order_relaxed);
    queue_ns.fetch_add(waited_ns, std::memory_order_relaxed);
    queue_histogram[latency::bucket_index(waited_ns)].fetch_add(1, std::memory_order_relaxed);
}

void compute_queue_stats::count_finished(job_outcome outcome, bool was_started) noexcept {
    (was_started ? running : waiting).fetch_sub(1, std::memory_order_relaxed);
    count_outcome(outcome);
}

void compute_queue_stats::cancel_all() noexcept {
    const std::uint64_t unfinished = waiting.exchange(0) + running.exchange(0);
    by_outcome[static_cast<std::size_t>(job_outcome::cancelled)].fetch_add(unfinished, std::memory_order_relaxed);
}

compute_stats& compute_stats::attach(std::span<std::byte> memory) { return placed_in<compute_stats>(memory); }

const compute_stats* compute_stats::attach_read_only(std::span<const std::byte> memory) noexcept {
    return find_placed_in<compute_stats>(memory);
}

void compute_stats::on_process_start(int process_id) noexcept {
    if (pid.load(std::memory_order_relaxed) != 0) add_relaxed(crashes, 1);
    add_relaxed(starts, 1);
    store_relaxed(busy_since_ns, 0);
    store_relaxed(started_ns, clock::now().time_since_epoch().count());
    store_relaxed(pid, process_id);
}

void compute_stats::start_job(instant now) noexcept { store_relaxed(busy_since_ns, now.time_since_epoch().count()); }

void compute_stats::finish_job(instant now, std::int64_t cpu_time) noexcept {
    const std::int64_t wall_time = now.time_since_epoch().count() - busy_since_ns.load(std::memory_order_relaxed);
    store_relaxed(busy_since_ns, 0);
    add_relaxed(jobs, 1);
    add_relaxed(wall_ns, wall_time);
    add_relaxed(cpu_ns, cpu_time);
    latency::record(wall_histogram, wall_time);
    latency::record(cpu_histogram, cpu_time);
}

}  // namespace rondo::stats
