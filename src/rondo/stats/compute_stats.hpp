// SPDX-License-Identifier: Apache-2.0
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

/// What became of a job of the compute processes, as the request sees it that asked for it.
enum class job_end : std::uint8_t {
    done,       ///< the view answered, with whatever status
    lost,       ///< 502: its process died, or none took it
    late,       ///< 504: its time was over
    refused,    ///< 503: the queue was full
    cancelled,  ///< nobody waits for it any more
};
inline constexpr std::size_t job_ends = 5;
[[nodiscard]] std::string_view to_string(job_end) noexcept;

/// What a worker asked of the compute processes of one name. A part of statistics; written by any thread of the worker.
struct alignas(64) compute_demand {
    std::atomic<std::uint32_t> used;     ///< the name is there
    std::atomic<std::uint64_t> waiting;  ///< jobs that no process has begun
    std::atomic<std::uint64_t> running;  ///< jobs that are in one
    std::array<std::atomic<std::uint64_t>, job_ends> ended;
    std::atomic<std::int64_t> queue_ns;  ///< waited, all together, of the jobs that were begun
    latency::counts queue;               ///< the waits by length
    std::array<char, 64> name;           ///< longer ones are cut off

    void asked() noexcept { waiting.fetch_add(1, std::memory_order_relaxed); }
    void refused() noexcept { count(job_end::refused); }
    /// It waited so long for a process.
    void begun(std::int64_t waited_ns) noexcept;
    void over(job_end how, bool was_begun) noexcept;
    /// The worker is gone, and with it all that waited and ran.
    void nobody_waits() noexcept;

private:
    void count(job_end how) noexcept { ended[static_cast<std::size_t>(how)].fetch_add(1, std::memory_order_relaxed); }
};

/// What a compute process counts, in memory of its slot that outlives it: the next one goes on counting. Written by one
/// thread at a time, read by any. All bytes zero: nothing counted.
struct alignas(64) compute_figures {
    static constexpr std::uint32_t layout_version = 1;

    /// As statistics::in() and statistics::look().
    [[nodiscard]] static compute_figures& in(std::span<std::byte> memory);
    [[nodiscard]] static const compute_figures* look(std::span<const std::byte> memory) noexcept;

    /// A process begins.
    void begin(int process_id) noexcept;
    /// It ended in good order.
    void end() noexcept { set_to(process, 0); }
    void begin_job(instant now) noexcept;
    /// `cpu` is the processor time of the job, of all threads.
    void end_job(instant now, std::int64_t cpu) noexcept;

    std::atomic<std::uint32_t> layout;
    std::atomic<std::int32_t> process;        ///< its id; 0: it ended in good order
    std::atomic<std::uint32_t> starts;        ///< processes that began here
    std::atomic<std::uint32_t> crashes;       ///< of them, those that did not end in good order
    std::atomic<std::int64_t> started_ns;     ///< on rondo::clock
    std::atomic<std::int64_t> busy_since_ns;  ///< since when a job runs, on rondo::clock; 0: none does
    std::atomic<std::uint64_t> jobs;          ///< that ran
    std::atomic<std::int64_t> wall_ns;        ///< of the jobs, all together
    std::atomic<std::int64_t> cpu_ns;
    latency::counts wall;  ///< how long jobs ran
    latency::counts cpu;   ///< what processor time they took
};

}  // namespace rondo::stats
