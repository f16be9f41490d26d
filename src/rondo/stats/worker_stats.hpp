// SPDX-License-Identifier: Apache-2.0
// Stats of one worker process, in shared memory that outlives it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <rondo/stats/compute_stats.hpp>
#include <rondo/stats/cpu_timer.hpp>
#include <rondo/stats/latency_histogram.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo::stats {

/// The state of a request that was not answered at once.
enum class request_state : std::uint8_t {
    none,              ///< the row is free
    loop,              ///< its coroutine awaits something on the event loop
    pool_queue,        ///< waits for a thread of the blocking pool
    pool_thread,       ///< runs on a thread of the blocking pool
    compute_queue,     ///< waits for a compute thread or process
    compute_thread,    ///< runs on a compute thread
    compute_process,   ///< runs in a compute process
    reading_body,      ///< waits for the client to send more of the body
    sending_response,  ///< waits for the client to receive more of the response
    blocking_loop,     ///< blocks the loop thread for too long
};
[[nodiscard]] std::string_view to_string(request_state) noexcept;

/// The state of a worker process.
enum class worker_state : std::uint32_t { none, starting, serving, draining, ended };
[[nodiscard]] std::string_view to_string(worker_state) noexcept;

/// The state of a connection.
enum class connection_state : std::uint8_t { idle, head, serving, body, writing, lingering };
inline constexpr std::size_t connection_state_count = 6;
[[nodiscard]] std::string_view to_string(connection_state) noexcept;

/// Identifies a view in the stats.
struct view_name {
    std::string_view pattern;
    std::string_view methods;
    std::string_view kind;  ///< "async", "sync", "cpu", ...
};

/// A counter per outcome of a request: 1 to 5 are the status classes 1xx to 5xx.
template <typename Counter>
using outcomes = std::array<Counter, 7>;
inline constexpr std::size_t outcome_aborted = 0;  ///< the response was not completed
/// The response was not completed because the client closed the connection, as always for an endless one.
inline constexpr std::size_t outcome_client_closed = 6;

/// The stats of one view. Written by the loop thread. Every request is counted; times are measured for every request
/// that waited or ran on a thread, and for one in worker_stats::sample_every of those answered at once.
struct alignas(64) view_stats {
    outcomes<std::atomic<std::uint64_t>> by_class;
    std::atomic<std::uint64_t> stalls;       ///< requests that blocked the loop for too long
    std::atomic<std::uint32_t> last_bucket;  ///< of the last measured request; unmeasured ones count as equal to it
    std::atomic<std::uint32_t> in_use;       ///< the name is set
    std::atomic<std::int64_t> wall_ns;       ///< total time from the request head to the end of the response
    std::atomic<std::int64_t> loop_ns;       ///< total time on the loop, without run delay where known
    std::atomic<std::int64_t> queue_ns;      ///< total time waiting for a thread
    std::atomic<std::int64_t> thread_ns;     ///< total time on a thread, without run delay where known
    std::atomic<std::int64_t> measured_ns;   ///< the part of loop_ns and thread_ns with measured CPU time
    std::atomic<std::int64_t> cpu_ns;        ///< the CPU time within measured_ns
    std::array<char, 16> kind;
    std::array<char, 64> methods;
    std::array<char, 192> pattern;  ///< truncated
    latency::histogram latency;     ///< from the request head to the end of the response

    [[nodiscard]] view_name name() const noexcept;
};

/// A request that waits or runs on a thread. Written by the loop thread, and by the thread the request runs on.
struct alignas(64) running_request {
    std::atomic<std::uint16_t> view_row;  ///< index in worker_stats::views; in a free row: the next free row
    std::atomic<request_state> state;
    std::atomic<std::uint8_t> padding;
    std::atomic<std::uint32_t> entered_ms;  ///< when it entered the state, relative to started_ns
    std::atomic<std::int64_t> started_ns;   ///< on rondo::clock, which all processes share
    std::atomic<std::int64_t> queue_ns;     ///< time waiting for a thread so far
    std::atomic<std::int64_t> thread_ns;    ///< time on a thread so far
    thread_time_counters loop_time;         ///< of the loop thread; its CPU time includes that of other threads

    /// Sets the state.
    void enter(request_state new_state) noexcept;
};
static_assert(sizeof(running_request) == 64);

/// The stats of a thread pool; the gauges are those of the last sample.
struct pool_stats {
    std::atomic<std::uint64_t> threads;      ///< started threads
    std::atomic<std::uint64_t> max_threads;  ///< limit of threads
    std::atomic<std::uint64_t> running;      ///< busy threads
    std::atomic<std::uint64_t> waiting;      ///< jobs in the queue
    std::atomic<std::uint64_t> jobs;         ///< requests that ran in the pool
    std::atomic<std::uint64_t> refused;      ///< requests refused because the queue was full
    std::atomic<std::int64_t> queue_ns;      ///< total time in the queue
    latency::histogram queue_histogram;      ///< histogram of that time
};

/// A metric of a client library: a database, a cache, ... Written by the loop thread.
struct alignas(64) client_library_stat {
    std::atomic<std::uint64_t> value;
    std::atomic<std::uint32_t> in_use;  ///< the texts are set
    std::uint8_t is_counter;            ///< see metric_descriptor
    std::uint8_t is_seconds;
    std::array<char, 24> group;
    std::array<char, 24> name;
    std::array<char, 96> source;  ///< the name of the source in its group; truncated
    std::array<char, 96> help;
};
static_assert(sizeof(client_library_stat) == 256);

/// The stats of a worker, in shared memory that outlives it. Each member is written by one thread, the loop thread
/// unless stated otherwise, and read by any thread of any process. All bytes zero: nothing counted.
/// Used by one worker at a time; its successor continues the counters.
struct alignas(64) worker_stats {
    static constexpr std::uint32_t layout_version = 4;
    static constexpr std::size_t max_views = 512;  ///< row 0: requests without a view; the last: views without a row
    static constexpr std::size_t max_running = 1024;
    static constexpr std::size_t max_compute_queues =
        32;  ///< names of isolated views; the last row is shared by the rest
    static constexpr std::size_t max_client_library_stats =
        128;  ///< metrics of all client libraries; further ones are dropped

    /// Returns the stats in `memory`, which is aligned to 64 bytes, has at least sizeof(worker_stats) bytes, and is
    /// zero or was written by an earlier worker. Clears those of another version of Rondo. Throws
    /// std::invalid_argument.
    [[nodiscard]] static worker_stats& attach(std::span<std::byte> memory);
    /// The same for readers: null when nothing was counted there, or by another version.
    [[nodiscard]] static const worker_stats* attach_read_only(std::span<const std::byte> memory) noexcept;

    /// Called when a worker starts; requests in flight in the previous one are counted as lost.
    void on_worker_start(int process_id) noexcept;
    /// The row of a view: the existing one of this name, or a new one. Surplus views share the last row.
    [[nodiscard]] std::uint16_t view_row(const view_name& view) noexcept;
    /// The stats of the job queue of an isolated view. Called at startup, before the first request.
    [[nodiscard]] compute_queue_stats& compute_queue(std::string_view pool) noexcept;
    /// The row of a client library metric: the existing one, or a new one; null when the table is full.
    [[nodiscard]] client_library_stat* client_library_stat_row(std::string_view group, std::string_view source,
                                                               const metric_descriptor& metric) noexcept;
    /// For a request that is not answered at once: acquires a row in `running` and returns its number, from 1 on, or
    /// `no_row` when all are in use.
    [[nodiscard]] std::uint16_t acquire_row(std::uint16_t view, instant start) noexcept;
    /// `number` is the result of acquire_row(), including `no_row`.
    void release_row(std::uint16_t number) noexcept;
    /// Code of the view with this pattern has blocked the loop since `since`. Called on the thread that watches the
    /// loop.
    void mark_blocking(std::string_view pattern, instant since) noexcept;
    void clear_blocking() noexcept { store_relaxed(blocked_since_ns, 0); }
    /// Null for `no_row` and for 0.
    [[nodiscard]] running_request* running_row(std::uint16_t number) noexcept {
        return number - 1u < max_running ? &running[number - 1u] : nullptr;
    }
    static constexpr std::uint16_t no_row = UINT16_MAX;

    std::atomic<std::uint32_t> layout;
    std::atomic<worker_state> state;
    std::atomic<std::int32_t> pid;                     ///< process id
    std::atomic<std::uint32_t> starts;                 ///< workers started in this slot
    std::atomic<std::uint32_t> crashes;                ///< workers that did not exit normally
    std::atomic<std::uint64_t> lost_requests;          ///< requests in flight when their worker died
    std::atomic<std::int64_t> started_ns;              ///< on rondo::clock
    std::atomic<std::int64_t> sampled_ns;              ///< last sample on the loop: twice a second unless it is blocked
    std::atomic<std::int64_t> stall_ns;                ///< time on the loop that counts as a stall
    std::atomic<std::uint64_t> access_log_lines_lost;  ///< of the access log
    std::atomic<std::uint64_t> error_log_lines_lost;
    // What blocks the loop. Written by the thread that watches it.
    std::atomic<std::int64_t> blocked_since_ns;  ///< on rondo::clock; 0: not blocked
    std::atomic<std::uint16_t> blocking_view;    ///< row in `views`; 0: no view

    alignas(64) std::atomic<std::uint64_t> requests;  ///< request heads received
    std::atomic<std::uint64_t> responses;             ///< responses finished
    std::atomic<std::uint64_t> refused;               ///< 4xx/5xx responses of the server itself: bad input, timeouts
    std::atomic<std::uint64_t> aborted;               ///< requests whose response was not completed
    std::atomic<std::uint64_t> client_closed;         ///< the part of these whose client closed the connection
    std::atomic<std::uint64_t> connections;           ///< open connections
    std::atomic<std::uint64_t> accepted;              ///< total connections
    std::atomic<std::uint64_t> in_flight;             ///< requests being processed, including waiting ones
    std::atomic<std::uint64_t> waiting;               ///< requests in flight that were not answered at once
    std::atomic<std::uint64_t> rows_used;             ///< rows of `running` in use so far; readers can skip the others
    std::atomic<std::uint32_t> sample_every;
    std::atomic<std::uint16_t> free_head;  ///< number of the first free row below rows_used; 0: none
    std::array<std::atomic<std::uint64_t>, connection_state_count> connections_by_state;

    alignas(64) std::atomic<std::int64_t> busy_ns;  ///< time the loop did not wait
    std::atomic<std::int64_t> loop_delay_ns;        ///< delay of a loop timer at the last sample
    std::atomic<std::int64_t> max_turn_ns;          ///< between the last two samples
    std::atomic<std::uint64_t> stalls;              ///< number of times the loop was blocked for too long
    std::atomic<std::uint64_t> pool_threads;        ///< threads of the blocking and compute pools
    std::atomic<std::int64_t> gil_wait_ns;          ///< time the loop has waited for the GIL of Python
    latency::histogram loop_delay_histogram;        ///< of every sample

    pool_stats blocking_pool;
    pool_stats compute_pool;
    std::array<compute_queue_stats, max_compute_queues> compute_queues;
    std::array<running_request, max_running> running;
    std::array<view_stats, max_views> views;
    std::array<client_library_stat, max_client_library_stats> client_library_stats;

private:
    worker_stats() = default;
};

/// Owns worker_stats in private memory, for a server without an arbiter and for tests.
class worker_stats_memory {
public:
    /// Throws std::bad_alloc.
    worker_stats_memory();
    ~worker_stats_memory();
    worker_stats_memory(const worker_stats_memory&) = delete;
    worker_stats_memory& operator=(const worker_stats_memory&) = delete;

    [[nodiscard]] worker_stats& operator*() const noexcept { return *stats_; }
    [[nodiscard]] worker_stats* operator->() const noexcept { return stats_; }

private:
    worker_stats* stats_;
};

}  // namespace rondo::stats
