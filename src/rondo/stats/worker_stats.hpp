// SPDX-License-Identifier: Apache-2.0
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

/// Where a request is that was not answered at once.
enum class place : std::uint8_t {
    none,             ///< the row is free
    loop,             ///< its coroutine awaits something on the event loop
    pool_queue,       ///< it waits for a thread of the blocking pool
    pool_thread,      ///< it runs on one
    compute_queue,    ///< it waits for a compute thread or process
    compute_thread,   ///< it runs on one
    compute_process,  ///< it runs in a compute process
    body,             ///< it waits for the client to send more of the body
    sending,          ///< it waits for the client to take more of the response
    holding,          ///< it holds the thread of the loop, for too long
};
[[nodiscard]] std::string_view to_string(place) noexcept;

/// What a worker process is about.
enum class worker_state : std::uint32_t { none, starting, serving, draining, ended };
[[nodiscard]] std::string_view to_string(worker_state) noexcept;

/// What a connection is about.
enum class connection_state : std::uint8_t { idle, head, serving, body, writing, lingering };
inline constexpr std::size_t connection_states = 6;
[[nodiscard]] std::string_view to_string(connection_state) noexcept;

/// The name of a view: what its figures are told by.
struct view_name {
    std::string_view pattern;
    std::string_view methods;
    std::string_view kind;  ///< "async", "sync", "cpu", ...
};

/// A figure for each way in which a request ends: 1 to 5 are the classes of its status, 1xx to 5xx.
template <typename Figure>
using outcomes = std::array<Figure, 7>;
inline constexpr std::size_t outcome_aborted = 0;  ///< the response did not come to its end
inline constexpr std::size_t outcome_left =
    6;  ///< the same because the client went, as all do who follow an endless one

/// What is counted of one view. Written by the loop's thread. Every request is counted; times are taken of every one
/// that waited or ran on a thread, and of those answered at once of one in statistics::sample_every.
struct alignas(64) view_figures {
    outcomes<std::atomic<std::uint64_t>> by_class;
    std::atomic<std::uint64_t> stalls;       ///< requests that held the loop for too long
    std::atomic<std::uint32_t> last_bucket;  ///< of the last one whose time was taken: the next are alike
    std::atomic<std::uint32_t> used;         ///< the name is there
    std::atomic<std::int64_t> wall_ns;       ///< from the head to the end of the answer, all requests together
    std::atomic<std::int64_t> loop_ns;       ///< time on the loop, without waits for a processor where known
    std::atomic<std::int64_t> queue_ns;      ///< waiting for a thread
    std::atomic<std::int64_t> thread_ns;     ///< on a thread, the same way
    std::atomic<std::int64_t> measured_ns;   ///< of loop_ns and thread_ns, where processor time was measured
    std::atomic<std::int64_t> cpu_ns;        ///< the processor time within measured_ns
    std::array<char, 16> kind;
    std::array<char, 64> methods;
    std::array<char, 192> pattern;  ///< longer ones are cut off
    latency::counts latency;        ///< from the head to the end of the answer

    [[nodiscard]] view_name name() const noexcept;
};

/// A request that waits, or runs on a thread. Written by the loop's thread, and by the thread the request is on.
struct alignas(64) running_request {
    std::atomic<std::uint16_t> view;  ///< in statistics::views; the next free row when it is free
    std::atomic<place> where;
    std::atomic<std::uint8_t> spare;
    std::atomic<std::uint32_t> since_ms;  ///< when it came there, counted from began_ns
    std::atomic<std::int64_t> began_ns;   ///< on rondo::clock, which all processes share
    std::atomic<std::int64_t> queue_ns;   ///< waited for a thread so far
    std::atomic<std::int64_t> thread_ns;  ///< ran on a thread so far
    time_held held;                       ///< held the loop's thread; processor time also of other threads

    /// What it does from now on.
    void goes(place to) noexcept;
};
static_assert(sizeof(running_request) == 64);

/// Threads that requests run on, as they were at the last look.
struct pool_figures {
    std::atomic<std::uint64_t> threads;  ///< started
    std::atomic<std::uint64_t> most;     ///< that may be started
    std::atomic<std::uint64_t> running;  ///< that run something
    std::atomic<std::uint64_t> waiting;  ///< jobs in the queue
    std::atomic<std::uint64_t> jobs;     ///< requests that ran there, since the start
    std::atomic<std::uint64_t> refused;  ///< requests that found the queue full
    std::atomic<std::int64_t> queue_ns;  ///< waited there, all together
    latency::counts queue;               ///< the waits by length
};

/// A figure of something that views use: a database, a cache, ... Written by the loop's thread.
struct alignas(64) resource_figure {
    std::atomic<std::uint64_t> value;
    std::atomic<std::uint32_t> used;  ///< the texts are there
    std::uint8_t counts;              ///< see figure_text
    std::uint8_t seconds;
    std::array<char, 24> group;
    std::array<char, 24> name;
    std::array<char, 96> of;  ///< which of the group; longer ones are cut off
    std::array<char, 96> help;
};
static_assert(sizeof(resource_figure) == 256);

/// What a worker counts, in memory that outlives it and that others read: each figure is written by one thread, the
/// loop's unless it says otherwise, and may be read by any, also of another process. All bytes zero: nothing counted.
/// One worker at a time; the next one goes on counting where its predecessor ended.
struct alignas(64) statistics {
    static constexpr std::uint32_t layout_version = 3;
    static constexpr std::size_t max_views = 512;  ///< rows; 0 is for requests without a view, the last for the rest
    static constexpr std::size_t max_running = 1024;
    static constexpr std::size_t max_computers = 32;   ///< names of isolated views; the last is for the rest
    static constexpr std::size_t max_resources = 128;  ///< figures of all of them; more are not told

    /// The statistics in this memory, which is aligned to 64 bytes and at least sizeof(statistics); its bytes are zero
    /// or those of an earlier worker. What another version of Rondo left there is wiped. Throws std::invalid_argument.
    [[nodiscard]] static statistics& in(std::span<std::byte> memory);
    /// The same for who only reads: null when nobody has counted there, or another version.
    [[nodiscard]] static const statistics* look(std::span<const std::byte> memory) noexcept;

    /// A worker begins: what its predecessor did not come to count is counted as lost.
    void begin(int process_id) noexcept;
    /// The row of a view: the one of this name, or a new one. Several views share the last when there are too many.
    [[nodiscard]] std::uint16_t row_of(const view_name& view) noexcept;
    /// The figures of the compute processes of this name. At the start, before a request.
    [[nodiscard]] compute_demand& demand_of(std::string_view computer) noexcept;
    /// The row of a figure of something that views use: its own, or a new one; null when there are too many.
    [[nodiscard]] resource_figure* resource_of(std::string_view group, std::string_view of,
                                               const figure_text& text) noexcept;
    /// A request does not get its answer at once: takes a row in `running` and gives its number, from 1 on, or `no_row`
    /// when all are taken.
    [[nodiscard]] std::uint16_t take_row(std::uint16_t view, instant began) noexcept;
    /// What take_row() gave, also `no_row`.
    void free_row(std::uint16_t number) noexcept;
    /// Code of the view with this pattern has held the loop since then. On the thread that watches the loop.
    void holds(std::string_view pattern, instant since) noexcept;
    void holds_no_more() noexcept { set_to(holding_since_ns, 0); }
    /// Null for `no_row` and for 0.
    [[nodiscard]] running_request* row(std::uint16_t number) noexcept {
        return number - 1u < max_running ? &running[number - 1u] : nullptr;
    }
    static constexpr std::uint16_t no_row = UINT16_MAX;

    std::atomic<std::uint32_t> layout;
    std::atomic<worker_state> state;
    std::atomic<std::int32_t> process;     ///< its id
    std::atomic<std::uint32_t> starts;     ///< workers that began here
    std::atomic<std::uint32_t> crashes;    ///< of them, those that did not end in good order
    std::atomic<std::uint64_t> lost;       ///< requests that ended with their worker
    std::atomic<std::int64_t> started_ns;  ///< on rondo::clock
    std::atomic<std::int64_t> looked_ns;   ///< when the loop was last seen to turn: twice a second when all is well
    std::atomic<std::int64_t> stall_ns;    ///< longer on the loop is a stall
    std::atomic<std::uint64_t> log_lines_lost;  ///< of the access log
    std::atomic<std::uint64_t> error_log_lines_lost;
    // What holds the loop. Written by the thread that watches it.
    std::atomic<std::int64_t> holding_since_ns;  ///< on rondo::clock; 0: nothing does
    std::atomic<std::uint16_t> holding_view;     ///< its row in `views`; 0: no view

    alignas(64) std::atomic<std::uint64_t> requests;  ///< heads received
    std::atomic<std::uint64_t> responses;             ///< finished
    std::atomic<std::uint64_t> refused;               ///< answered 4xx/5xx by the server itself: bad input, time-outs
    std::atomic<std::uint64_t> aborted;               ///< ended before the response was complete
    std::atomic<std::uint64_t> left;                  ///< the same because their clients went
    std::atomic<std::uint64_t> connections;           ///< open now
    std::atomic<std::uint64_t> accepted;              ///< connections in all
    std::atomic<std::uint64_t> in_flight;             ///< requests being answered now, waiting ones included
    std::atomic<std::uint64_t> waiting;               ///< of them those not answered at once
    std::atomic<std::uint64_t> rows_used;             ///< rows of `running` ever used: the rest need not be looked at
    std::atomic<std::uint32_t> sample_every;
    std::atomic<std::uint16_t> free_head;  ///< number of a free row below rows_used; 0: none
    std::array<std::atomic<std::uint64_t>, connection_states> connections_in;

    alignas(64) std::atomic<std::int64_t> busy_ns;  ///< time the loop did not wait
    std::atomic<std::int64_t> loop_delay_ns;        ///< how late a timer of the loop was at the last look
    std::atomic<std::int64_t> longest_turn_ns;      ///< between the last two looks
    std::atomic<std::uint64_t> stalls;              ///< times that something held the loop too long
    std::atomic<std::uint64_t> pool_threads;        ///< threads of the blocking and compute pools
    latency::counts loop_delay;                     ///< of every look

    pool_figures blocking;
    pool_figures compute;
    std::array<compute_demand, max_computers> computers;
    std::array<running_request, max_running> running;
    std::array<view_figures, max_views> views;
    std::array<resource_figure, max_resources> resources;

private:
    statistics() = default;
};

/// Statistics in memory of their own: a server that nobody watches, a test.
class statistics_memory {
public:
    /// Throws std::bad_alloc.
    statistics_memory();
    ~statistics_memory();
    statistics_memory(const statistics_memory&) = delete;
    statistics_memory& operator=(const statistics_memory&) = delete;

    [[nodiscard]] statistics& operator*() const noexcept { return *memory_; }
    [[nodiscard]] statistics* operator->() const noexcept { return memory_; }

private:
    statistics* memory_;
};

}  // namespace rondo::stats
