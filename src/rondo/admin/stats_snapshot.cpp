// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/stats_snapshot.hpp>

#include <algorithm>
#include <tuple>

#include <rondo/admin/stat_fields.hpp>

namespace rondo::admin {

namespace {

// A loop samples itself twice a second; after this long without a sample it is blocked.
constexpr std::int64_t stuck_ns = 1'500'000'000;

template <class T>
T get(const std::atomic<T>& value) noexcept {
    return figure_of(value);
}

// Counters survive their process; gauges and peaks belong to a live one.
constexpr std::tuple pool_counts{
    kept_in(&pool_totals::jobs, &stats::pool_figures::jobs),
    kept_in(&pool_totals::refused, &stats::pool_figures::refused),
    kept_in(&pool_totals::queue_ns, &stats::pool_figures::queue_ns),
    kept_in(&pool_totals::queue, &stats::pool_figures::queue),
};
constexpr std::tuple pool_gauges{
    kept_in(&pool_totals::threads, &stats::pool_figures::threads),
    kept_in(&pool_totals::most, &stats::pool_figures::most),
    kept_in(&pool_totals::running, &stats::pool_figures::running),
    kept_in(&pool_totals::waiting, &stats::pool_figures::waiting),
};
constexpr std::tuple worker_counts{
    kept_in(&worker_totals::starts, &stats::statistics::starts),
    kept_in(&worker_totals::crashes, &stats::statistics::crashes),
    kept_in(&worker_totals::lost, &stats::statistics::lost),
    kept_in(&worker_totals::requests, &stats::statistics::requests),
    kept_in(&worker_totals::responses, &stats::statistics::responses),
    kept_in(&worker_totals::refused, &stats::statistics::refused),
    kept_in(&worker_totals::aborted, &stats::statistics::aborted),
    kept_in(&worker_totals::left, &stats::statistics::left),
    kept_in(&worker_totals::accepted, &stats::statistics::accepted),
    kept_in(&worker_totals::stalls, &stats::statistics::stalls),
    kept_in(&worker_totals::log_lines_lost, &stats::statistics::log_lines_lost),
    kept_in(&worker_totals::error_log_lines_lost, &stats::statistics::error_log_lines_lost),
    kept_in(&worker_totals::loop_delay, &stats::statistics::loop_delay),
};
constexpr std::tuple worker_gauges{
    kept_in(&worker_totals::connections, &stats::statistics::connections),
    kept_in(&worker_totals::in_flight, &stats::statistics::in_flight),
    kept_in(&worker_totals::waiting, &stats::statistics::waiting),
    kept_in(&worker_totals::connections_in, &stats::statistics::connections_in),
    kept_in(&worker_totals::busy_ns, &stats::statistics::busy_ns),
};
constexpr std::tuple worker_peaks{
    kept_in(&worker_totals::loop_delay_ns, &stats::statistics::loop_delay_ns),
    kept_in(&worker_totals::longest_turn_ns, &stats::statistics::longest_turn_ns),
};

pool_totals read(const stats::pool_figures& figures, bool alive) noexcept {
    pool_totals p;
    read_each(pool_counts, p, figures);
    if (alive) read_each(pool_gauges, p, figures);
    return p;
}

void read_gauges(worker_totals& w, const stats::statistics& s, std::int64_t now) noexcept {
    w.age_ns = now - get(s.started_ns);
    read_each(worker_gauges, w, s);
    read_each(worker_peaks, w, s);
}

// A blocked loop cannot report its own state.
void look_whether_stuck(worker_totals& w, const worker_source& source, std::int64_t now) {
    std::int64_t silent = now - get(source.figures->looked_ns);
    if (source.turn_began_ns != 0) silent = std::max(silent, now - source.turn_began_ns);
    if (silent < stuck_ns || (w.state != "serving" && w.state != "draining")) return;
    w.state = "blocked";
    w.loop_delay_ns = std::max(w.loop_delay_ns, silent);
    w.longest_turn_ns = std::max(w.longest_turn_ns, silent);
}

// False while the memory still holds the stats of the previous process in the slot.
bool counts_itself(const worker_source& source) noexcept {
    return source.alive && source.figures != nullptr && get(source.figures->process) == source.process;
}

worker_totals read(const worker_source& source, std::int64_t now) {
    worker_totals w;
    w.name = source.name;
    w.process = source.process;
    w.resident_bytes = source.alive ? source.resident_bytes : 0;
    w.state = source.alive ? "starting" : "ended";
    if (source.figures == nullptr) return w;
    const stats::statistics& s = *source.figures;
    const bool counts = counts_itself(source);
    read_each(worker_counts, w, s);
    w.blocking = read(s.blocking, counts);
    w.compute = read(s.compute, counts);
    if (counts) {
        w.state = stats::to_string(get(s.state));
        read_gauges(w, s, now);
        look_whether_stuck(w, source, now);
    } else if (get(s.state) != stats::worker_state::ended) {
        // It crashed, and its successor has not counted that yet.
        w.lost += get(s.in_flight);
        ++w.crashes;
    }
    return w;
}

void read_views(overview& to, const stats::statistics& s) {
    for (std::size_t i = 0; i < stats::statistics::max_views; ++i) {
        if (i != 0 && s.views[i].used.load(std::memory_order_acquire) == 0) continue;
        view_totals v = rondo::admin::read(s.views[i]);
        add_figure(to.latency, v.latency);
        const auto known = std::ranges::find_if(to.views, [&](const view_totals& other) { return other.same_view(v); });
        if (known != to.views.end()) known->add(v);
        else to.views.push_back(std::move(v));
    }
}

void read_resources(overview& to, const stats::statistics& s, bool alive) {
    for (const stats::resource_figure& r : s.resources) {
        if (r.used.load(std::memory_order_acquire) == 0) return;
        const std::string_view group = r.group.data();
        const std::string_view instance = r.of.data();
        const std::string_view name = r.name.data();
        const std::uint64_t value = alive || r.counts ? get(r.value) : 0;
        const auto known = std::ranges::find_if(to.resources, [&](const resource_total& other) {
            return other.group == group && other.of == instance && other.name == name;
        });
        if (known != to.resources.end()) known->value += value;
        else
            to.resources.push_back({.group = std::string(group),
                                    .of = std::string(instance),
                                    .name = std::string(name),
                                    .help = r.help.data(),
                                    .counts = r.counts != 0,
                                    .seconds = r.seconds != 0,
                                    .value = value});
    }
}

running_entry entry_of(const worker_source& source, std::size_t view, stats::place state, std::int64_t age) {
    const stats::view_name name = source.figures->views[view].name();
    return {.worker = source.name,
            .pattern = std::string(name.pattern),
            .methods = std::string(name.methods),
            .kind = std::string(name.kind),
            .where = state,
            .age_ns = std::max<std::int64_t>(0, age)};
}

void list(overview& to, running_entry e) {
    ++to.waiting_in[static_cast<std::size_t>(e.where)];
    for (view_totals& v : to.views)
        if (v.pattern == e.pattern && v.methods == e.methods && v.kind == e.kind) ++v.running;
    to.running.push_back(std::move(e));
}

void read_running(overview& to, const worker_source& source, std::int64_t now) {
    const stats::statistics& s = *source.figures;
    const std::size_t used = std::min<std::size_t>(get(s.rows_used), stats::statistics::max_running);
    for (std::size_t i = 0; i < used; ++i) {
        const stats::running_request& r = s.running[i];
        const stats::place state = get(r.where);
        const std::size_t view = get(r.view);
        if (state == stats::place::none || static_cast<std::size_t>(state) >= places ||
            view >= stats::statistics::max_views)
            continue;
        running_entry e = entry_of(source, view, state, now - get(r.began_ns));
        e.here_ns = std::max<std::int64_t>(0, e.age_ns - std::int64_t{get(r.since_ms)} * 1'000'000);
        e.loop_ns = get(r.held.ns);
        e.queue_ns = get(r.queue_ns);
        e.thread_ns = get(r.thread_ns);
        list(to, std::move(e));
    }
    const std::int64_t since = get(s.holding_since_ns);
    const std::size_t view = get(s.holding_view);
    if (since == 0 || view >= stats::statistics::max_views) return;
    running_entry e = entry_of(source, view, stats::place::holding, now - since);
    e.here_ns = e.loop_ns = e.age_ns;
    list(to, std::move(e));
}

}  // namespace

void pool_totals::add(const pool_totals& other) noexcept {
    add_each(pool_counts, *this, other);
    add_each(pool_gauges, *this, other);
}

void worker_totals::add(const worker_totals& other) noexcept {
    add_each(worker_counts, *this, other);
    add_each(worker_gauges, *this, other);
    raise_each(worker_peaks, *this, other);
    age_ns = std::max(age_ns, other.age_ns);
    resident_bytes += other.resident_bytes;
    blocking.add(other.blocking);
    compute.add(other.compute);
}

overview read_all(std::span<const worker_source> sources, instant now, std::size_t max_running,
                  std::span<const compute_source> compute_sources) {
    overview snapshot;
    const std::int64_t now_ns = now.time_since_epoch().count();
    for (const worker_source& source : sources) {
        worker_totals w = read(source, now_ns);
        snapshot.all.add(w);
        if (source.figures != nullptr) {
            read_views(snapshot, *source.figures);
            add_demand(snapshot.computers, *source.figures, counts_itself(source));
            read_resources(snapshot, *source.figures, counts_itself(source));
        }
        if (source.alive) snapshot.workers.push_back(std::move(w));
    }
    for (const worker_source& source : sources) {
        if (counts_itself(source)) read_running(snapshot, source, now_ns);
    }
    add_processes(snapshot.computers, compute_sources, now);
    std::ranges::sort(snapshot.computers, {}, &compute_totals::name);
    std::ranges::sort(snapshot.views, {}, [](const view_totals& v) { return std::tie(v.pattern, v.methods, v.kind); });
    std::ranges::sort(snapshot.resources, {}, [](const resource_total& r) { return std::tie(r.group, r.of, r.name); });
    std::ranges::sort(snapshot.running, std::ranges::greater{}, &running_entry::age_ns);
    if (snapshot.running.size() > max_running) snapshot.running.resize(max_running);
    return snapshot;
}

}  // namespace rondo::admin
