// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/stats_snapshot.hpp>

#include <algorithm>
#include <tuple>

#include <rondo/admin/snapshot_fields.hpp>

namespace rondo::admin {

namespace {

// A loop samples itself twice a second; after this long without a sample it is blocked.
constexpr std::int64_t blocked_after_ns = 1'500'000'000;

template <class T>
T load_stat(const std::atomic<T>& value) noexcept {
    return load_value(value);
}

// Counters survive their process; gauges and peaks belong to a live one.
constexpr std::tuple pool_counters{
    field(&pool_snapshot::jobs, &stats::pool_stats::jobs),
    field(&pool_snapshot::refused, &stats::pool_stats::refused),
    field(&pool_snapshot::queue_ns, &stats::pool_stats::queue_ns),
    field(&pool_snapshot::queue, &stats::pool_stats::queue_histogram),
};
constexpr std::tuple pool_gauges{
    field(&pool_snapshot::threads, &stats::pool_stats::threads),
    field(&pool_snapshot::max_threads, &stats::pool_stats::max_threads),
    field(&pool_snapshot::running, &stats::pool_stats::running),
    field(&pool_snapshot::waiting, &stats::pool_stats::waiting),
};
constexpr std::tuple worker_counters{
    field(&worker_snapshot::starts, &stats::worker_stats::starts),
    field(&worker_snapshot::crashes, &stats::worker_stats::crashes),
    field(&worker_snapshot::lost, &stats::worker_stats::lost_requests),
    field(&worker_snapshot::requests, &stats::worker_stats::requests),
    field(&worker_snapshot::responses, &stats::worker_stats::responses),
    field(&worker_snapshot::refused, &stats::worker_stats::refused),
    field(&worker_snapshot::aborted, &stats::worker_stats::aborted),
    field(&worker_snapshot::client_closed, &stats::worker_stats::client_closed),
    field(&worker_snapshot::accepted, &stats::worker_stats::accepted),
    field(&worker_snapshot::stalls, &stats::worker_stats::stalls),
    field(&worker_snapshot::gil_wait_ns, &stats::worker_stats::gil_wait_ns),
    field(&worker_snapshot::log_lines_lost, &stats::worker_stats::access_log_lines_lost),
    field(&worker_snapshot::error_log_lines_lost, &stats::worker_stats::error_log_lines_lost),
    field(&worker_snapshot::loop_delay, &stats::worker_stats::loop_delay_histogram),
};
constexpr std::tuple worker_gauges{
    field(&worker_snapshot::connections, &stats::worker_stats::connections),
    field(&worker_snapshot::in_flight, &stats::worker_stats::in_flight),
    field(&worker_snapshot::waiting, &stats::worker_stats::waiting),
    field(&worker_snapshot::connections_by_state, &stats::worker_stats::connections_by_state),
    field(&worker_snapshot::busy_ns, &stats::worker_stats::busy_ns),
};
constexpr std::tuple worker_peaks{
    field(&worker_snapshot::loop_delay_ns, &stats::worker_stats::loop_delay_ns),
    field(&worker_snapshot::longest_turn_ns, &stats::worker_stats::max_turn_ns),
};

pool_snapshot read_stats(const stats::pool_stats& counters, bool alive) noexcept {
    pool_snapshot p;
    load_each(pool_counters, p, counters);
    if (alive) load_each(pool_gauges, p, counters);
    return p;
}

void read_gauges(worker_snapshot& w, const stats::worker_stats& s, std::int64_t now) noexcept {
    w.age_ns = now - load_stat(s.started_ns);
    load_each(worker_gauges, w, s);
    load_each(worker_peaks, w, s);
}

// A blocked loop cannot report its own state.
void detect_blocked_loop(worker_snapshot& w, const worker_source& source, std::int64_t now) {
    std::int64_t silent = now - load_stat(source.counters->sampled_ns);
    if (source.turn_started_ns != 0) silent = std::max(silent, now - source.turn_started_ns);
    if (silent < blocked_after_ns || (w.state != "serving" && w.state != "draining")) return;
    w.state = "blocked";
    w.loop_delay_ns = std::max(w.loop_delay_ns, silent);
    w.longest_turn_ns = std::max(w.longest_turn_ns, silent);
}

// False while the memory still holds the stats of the previous process in the slot.
bool is_counting(const worker_source& source) noexcept {
    return source.alive && source.counters != nullptr && load_stat(source.counters->pid) == source.pid;
}

worker_snapshot read_stats(const worker_source& source, std::int64_t now) {
    worker_snapshot w;
    w.name = source.name;
    w.pid = source.pid;
    w.resident_bytes = source.alive ? source.resident_bytes : 0;
    w.state = source.alive ? "starting" : "ended";
    if (source.counters == nullptr) return w;
    const stats::worker_stats& s = *source.counters;
    const bool counts = is_counting(source);
    load_each(worker_counters, w, s);
    w.blocking = read_stats(s.blocking_pool, counts);
    w.compute = read_stats(s.compute_pool, counts);
    if (counts) {
        w.state = stats::to_string(load_stat(s.state));
        read_gauges(w, s, now);
        detect_blocked_loop(w, source, now);
    } else if (load_stat(s.state) != stats::worker_state::ended) {
        // It crashed, and its successor has not counted that yet.
        w.lost += load_stat(s.in_flight);
        ++w.crashes;
    }
    return w;
}

void read_views(stats_snapshot& to, const stats::worker_stats& s) {
    for (std::size_t i = 0; i < stats::worker_stats::max_views; ++i) {
        if (i != 0 && s.views[i].in_use.load(std::memory_order_acquire) == 0) continue;
        view_snapshot v = rondo::admin::read_view(s.views[i]);
        add_value(to.latency, v.latency);
        const auto found =
            std::ranges::find_if(to.views, [&](const view_snapshot& other) { return other.is_same_view(v); });
        if (found != to.views.end()) found->add(v);
        else to.views.push_back(std::move(v));
    }
}

void read_resources(stats_snapshot& to, const stats::worker_stats& s, bool alive) {
    for (const stats::client_library_stat& r : s.client_library_stats) {
        if (r.in_use.load(std::memory_order_acquire) == 0) return;
        const std::string_view group = r.group.data();
        const std::string_view instance = r.source.data();
        const std::string_view name = r.name.data();
        const std::uint64_t value = alive || r.is_counter ? load_stat(r.value) : 0;
        const auto found = std::ranges::find_if(to.resources, [&](const client_library_snapshot& other) {
            return other.group == group && other.instance == instance && other.name == name;
        });
        if (found != to.resources.end()) found->value += value;
        else
            to.resources.push_back({.group = std::string(group),
                                    .instance = std::string(instance),
                                    .name = std::string(name),
                                    .help = r.help.data(),
                                    .is_counter = r.is_counter != 0,
                                    .is_duration = r.is_seconds != 0,
                                    .value = value});
    }
}

running_entry make_running_entry(const worker_source& source, std::size_t view, stats::request_state state,
                                 std::int64_t age) {
    const stats::view_name name = source.counters->views[view].name();
    return {.worker = source.name,
            .pattern = std::string(name.pattern),
            .methods = std::string(name.methods),
            .kind = std::string(name.kind),
            .state = state,
            .age_ns = std::max<std::int64_t>(0, age)};
}

void add_running(stats_snapshot& to, running_entry e) {
    ++to.waiting_by_state[static_cast<std::size_t>(e.state)];
    for (view_snapshot& v : to.views)
        if (v.pattern == e.pattern && v.methods == e.methods && v.kind == e.kind) ++v.running;
    to.running.push_back(std::move(e));
}

void read_running(stats_snapshot& to, const worker_source& source, std::int64_t now) {
    const stats::worker_stats& s = *source.counters;
    const std::size_t used = std::min<std::size_t>(load_stat(s.rows_used), stats::worker_stats::max_running);
    for (std::size_t i = 0; i < used; ++i) {
        const stats::running_request& r = s.running[i];
        const stats::request_state state = load_stat(r.state);
        const std::size_t view = load_stat(r.view_row);
        if (state == stats::request_state::none || static_cast<std::size_t>(state) >= request_state_count ||
            view >= stats::worker_stats::max_views)
            continue;
        running_entry e = make_running_entry(source, view, state, now - load_stat(r.started_ns));
        e.in_state_ns = std::max<std::int64_t>(0, e.age_ns - std::int64_t{load_stat(r.entered_ms)} * 1'000'000);
        e.loop_ns = load_stat(r.loop_time.ns);
        e.queue_ns = load_stat(r.queue_ns);
        e.thread_ns = load_stat(r.thread_ns);
        add_running(to, std::move(e));
    }
    const std::int64_t since = load_stat(s.blocked_since_ns);
    const std::size_t view = load_stat(s.blocking_view);
    if (since == 0 || view >= stats::worker_stats::max_views) return;
    running_entry e = make_running_entry(source, view, stats::request_state::blocking_loop, now - since);
    e.in_state_ns = e.loop_ns = e.age_ns;
    add_running(to, std::move(e));
}

}  // namespace

void pool_snapshot::add(const pool_snapshot& other) noexcept {
    add_each(pool_counters, *this, other);
    add_each(pool_gauges, *this, other);
}

void worker_snapshot::add(const worker_snapshot& other) noexcept {
    add_each(worker_counters, *this, other);
    add_each(worker_gauges, *this, other);
    max_each(worker_peaks, *this, other);
    age_ns = std::max(age_ns, other.age_ns);
    resident_bytes += other.resident_bytes;
    blocking.add(other.blocking);
    compute.add(other.compute);
}

stats_snapshot take_snapshot(std::span<const worker_source> sources, instant now, std::size_t max_running,
                             std::span<const compute_source> compute_sources) {
    stats_snapshot snapshot;
    const std::int64_t now_ns = now.time_since_epoch().count();
    for (const worker_source& source : sources) {
        worker_snapshot w = read_stats(source, now_ns);
        snapshot.total.add(w);
        if (source.counters != nullptr) {
            read_views(snapshot, *source.counters);
            add_queue(snapshot.compute_pools, *source.counters, is_counting(source));
            read_resources(snapshot, *source.counters, is_counting(source));
        }
        if (source.alive) snapshot.workers.push_back(std::move(w));
    }
    for (const worker_source& source : sources) {
        if (is_counting(source)) read_running(snapshot, source, now_ns);
    }
    add_processes(snapshot.compute_pools, compute_sources, now);
    std::ranges::sort(snapshot.compute_pools, {}, &compute_pool_snapshot::name);
    std::ranges::sort(snapshot.views, {},
                      [](const view_snapshot& v) { return std::tie(v.pattern, v.methods, v.kind); });
    std::ranges::sort(snapshot.resources, {},
                      [](const client_library_snapshot& r) { return std::tie(r.group, r.instance, r.name); });
    std::ranges::sort(snapshot.running, std::ranges::greater{}, &running_entry::age_ns);
    if (snapshot.running.size() > max_running) snapshot.running.resize(max_running);
    return snapshot;
}

}  // namespace rondo::admin
