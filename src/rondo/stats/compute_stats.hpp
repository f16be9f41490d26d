// SPDX-License-Identifier: Apache-2.0
// Stats of compute processes and of the job queues in front of them, in shared memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/stats/latency_histogram.hpp>

namespace rondo::stats {

/// The outcome of a compute job for its request.
enum class job_outcome : std::uint8_t {
    done,       ///< the view responded, with any status
    lost,       ///< 502: its process died, or none accepted it
    timed_out,  ///< 504: it timed out
    refused,    ///< 503: the queue was full
    cancelled,  ///< its request was cancelled
};
inline constexpr std::size_t job_outcome_count = 5;
[[nodiscard]] std::string_view to_string(job_outcome) noexcept;

/// Stats of the jobs of a worker for the compute processes of one name. A part of worker_stats; written by any thread
/// of the worker.
struct alignas(64) compute_queue_stats {
    std::atomic<std::uint32_t> in_use;   ///< the name is set
    std::atomic<std::uint64_t> waiting;  ///< jobs not yet started
    std::atomic<std::uint64_t> running;  ///< jobs in a process
    std::array<std::atomic<std::uint64_t>, job_outcome_count> by_outcome;
    std::atomic<std::int64_t> queue_ns;  ///< total time in the queue of the started jobs
    latency::histogram queue_histogram;  ///< histogram of that time
    std::array<char, 64> name;           ///< truncated

    void count_queued() noexcept { waiting.fetch_add(1, std::memory_order_relaxed); }
    void count_refused() noexcept { count_outcome(job_outcome::refused); }
    /// A process started a job that was queued for `waited_ns`.
    void count_started(std::int64_t waited_ns) noexcept;
    void count_finished(job_outcome outcome, bool was_started) noexcept;
    /// Counts all jobs as cancelled, after the worker died.
    void cancel_all() noexcept;

private:
    void count_outcome(job_outcome outcome) noexcept {
        by_outcome[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
    }
};

/// Stats of a compute process, in shared memory of its slot: its successor continues them. Written by one thread at a
/// time, read by any. All bytes zero: nothing counted.
struct alignas(64) compute_stats {
    static constexpr std::uint32_t layout_version = 1;

    /// As worker_stats::attach() and worker_stats::attach_read_only().
    [[nodiscard]] static compute_stats& attach(std::span<std::byte> memory);
    [[nodiscard]] static const compute_stats* attach_read_only(std::span<const std::byte> memory) noexcept;

    /// Called when a process starts.
    void on_process_start(int process_id) noexcept;
    /// Called when it exits normally.
    void on_process_exit() noexcept { store_relaxed(pid, 0); }
    void start_job(instant now) noexcept;
    /// `cpu_time` is the CPU time of the job in ns, of all threads.
    void finish_job(instant now, std::int64_t cpu_time) noexcept;

    std::atomic<std::uint32_t> layout;
    std::atomic<std::int32_t> pid;            ///< its id; 0 after a normal exit
    std::atomic<std::uint32_t> starts;        ///< processes started in this slot
    std::atomic<std::uint32_t> crashes;       ///< processes that did not exit normally
    std::atomic<std::int64_t> started_ns;     ///< on rondo::clock
    std::atomic<std::int64_t> busy_since_ns;  ///< start of the running job, on rondo::clock; 0: none
    std::atomic<std::uint64_t> jobs;          ///< finished jobs
    std::atomic<std::int64_t> wall_ns;        ///< total run time of the jobs
    std::atomic<std::int64_t> cpu_ns;         ///< total CPU time of the jobs
    latency::histogram wall_histogram;        ///< histogram of the run times
    latency::histogram cpu_histogram;         ///< histogram of the CPU times
};

}  // namespace rondo::stats
