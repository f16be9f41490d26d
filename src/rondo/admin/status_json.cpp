// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/status_json.hpp>

#include <rondo/admin/metrics.hpp>
#include <rondo/admin/view_advice.hpp>

#include <algorithm>
#include <numeric>

#include <rondo/base/version.hpp>
#include <rondo/codec/json.hpp>

namespace rondo::admin {

namespace {

double to_ms(std::int64_t ns) noexcept { return static_cast<double>(ns) / 1e6; }
double quantile_ms(const stats::latency::histogram_totals& histogram, double q) noexcept {
    return stats::latency::quantile(histogram, q) / 1e6;
}

void write_pool(codec::json_writer& to, const pool_snapshot& p) {
    to.begin_object();
    to.member("threads", p.threads)
        .member("limit", p.max_threads)
        .member("busy", p.running)
        .member("waiting", p.waiting);
    to.member("jobs", p.jobs).member("refused", p.refused);
    to.member("queue_ms", p.jobs ? to_ms(p.queue_ns) / static_cast<double>(p.jobs) : 0.0);
    to.member("queue_p99_ms", quantile_ms(p.queue, 0.99));
    to.end_object();
}

void write_worker(codec::json_writer& to, const worker_snapshot& w) {
    to.begin_object();
    to.member("name", std::string_view(w.name))
        .member("state", std::string_view(w.state))
        .member("pid", w.pid)
        .member("age_ms", to_ms(w.age_ns));
    to.member("starts", w.starts).member("crashes", w.crashes).member("lost", w.lost);
    to.member("requests", w.requests).member("responses", w.responses).member("refused", w.refused);
    to.member("aborted", w.aborted)
        .member("client_closed", w.client_closed)
        .member("in_flight", w.in_flight)
        .member("waiting", w.waiting);
    to.member("accepted", w.accepted).member("connections", w.connections);
    to.key("connections_by_state").begin_object();
    for (std::size_t i = 0; i < w.connections_by_state.size(); ++i)
        to.member(stats::to_string(static_cast<stats::connection_state>(i)), w.connections_by_state[i]);
    to.end_object();
    to.member("busy_ms", to_ms(w.busy_ns)).member("loop_delay_ms", to_ms(w.loop_delay_ns));
    to.member("longest_turn_ms", to_ms(w.longest_turn_ns)).member("stalls", w.stalls);
    to.member("gil_wait_ms", to_ms(w.gil_wait_ns));
    to.member("memory_bytes", w.resident_bytes).member("log_lines_lost", w.log_lines_lost + w.error_log_lines_lost);
    to.key("blocking");
    write_pool(to, w.blocking);
    to.key("compute");
    write_pool(to, w.compute);
    to.end_object();
}

void write_view(codec::json_writer& to, const view_snapshot& v) {
    const std::uint64_t n = v.requests();
    const auto mean = [n](std::int64_t ns) { return n ? to_ms(ns) / static_cast<double>(n) : 0.0; };
    to.begin_object();
    to.member("pattern", std::string_view(v.pattern))
        .member("methods", std::string_view(v.methods))
        .member("kind", std::string_view(v.kind));
    to.member("requests", n).member("running", v.running).member("stalls", v.stalls);
    to.key("by_class").begin_array();
    for (const std::uint64_t count : v.by_class) to.value(count);
    to.end_array();
    to.member("wall_ms", mean(v.wall_ns)).member("loop_ms", mean(v.loop_ns)).member("queue_ms", mean(v.queue_ns));
    to.member("thread_ms", mean(v.thread_ns));
    to.key("cpu_share");
    if (v.measured_ns > 0) to.value(std::min(1.0, static_cast<double>(v.cpu_ns) / static_cast<double>(v.measured_ns)));
    else to.value(nullptr);
    to.member("p50_ms", quantile_ms(v.latency, 0.5)).member("p90_ms", quantile_ms(v.latency, 0.9));
    to.member("p99_ms", quantile_ms(v.latency, 0.99));
    to.member("advice", std::string_view(advice(v)));
    to.end_object();
}

// Mean and quantiles of a histogram of durations.
void write_durations(codec::json_writer& to, const char* name, std::int64_t sum_ns,
                     const stats::latency::histogram_totals& counts) {
    const auto n = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    to.key(name).begin_object();
    to.member("mean_ms", n ? to_ms(sum_ns) / static_cast<double>(n) : 0.0);
    to.member("p50_ms", quantile_ms(counts, 0.5)).member("p99_ms", quantile_ms(counts, 0.99));
    to.end_object();
}

void write_compute_pool(codec::json_writer& to, const compute_pool_snapshot& c) {
    to.begin_object();
    to.member("name", std::string_view(c.name)).member("busy", c.busy()).member("waiting", c.waiting);
    to.member("running", c.running).member("starts", c.starts).member("crashes", c.crashes);
    to.member("memory_bytes", c.resident_bytes());
    to.key("jobs").begin_object();
    for (std::size_t i = 0; i < stats::job_outcome_count; ++i)
        to.member(stats::to_string(static_cast<stats::job_outcome>(i)), c.outcomes[i]);
    to.end_object();
    write_durations(to, "queue", c.queue_ns, c.queue);
    write_durations(to, "run", c.wall_ns, c.wall);
    write_durations(to, "cpu", c.cpu_ns, c.cpu);
    to.key("processes").begin_array();
    for (const compute_process& p : c.processes) {
        to.begin_object();
        to.member("name", std::string_view(p.name)).member("state", std::string_view(p.state));
        to.member("pid", p.pid).member("age_ms", to_ms(p.age_ns)).member("busy_ms", to_ms(p.busy_ns));
        to.member("jobs", p.jobs).member("memory_bytes", p.resident_bytes);
        to.end_object();
    }
    to.end_array();
    to.end_object();
}

// One object per instance, with its stats by name; times in milliseconds.
void write_resources(codec::json_writer& to, const stats_snapshot& snapshot) {
    to.key("resources").begin_array();
    const client_library_snapshot* previous = nullptr;
    for (const client_library_snapshot& r : snapshot.resources) {
        if (previous == nullptr || previous->group != r.group || previous->instance != r.instance) {
            if (previous != nullptr) to.end_object().end_object();
            to.begin_object().member("group", std::string_view(r.group)).member("name", std::string_view(r.instance));
            to.key("stats").begin_object();
        }
        previous = &r;
        if (r.is_duration) to.member(r.name + "_ms", to_ms(static_cast<std::int64_t>(r.value)));
        else to.member(r.name, r.value);
    }
    if (previous != nullptr) to.end_object().end_object();
    to.end_array();
}

void write_running(codec::json_writer& to, const stats_snapshot& snapshot) {
    std::uint64_t listed = snapshot.running.size();
    to.key("running").begin_array();
    for (const running_entry& r : snapshot.running) {
        to.begin_object();
        to.member("worker", std::string_view(r.worker))
            .member("pattern", std::string_view(r.pattern))
            .member("methods", std::string_view(r.methods))
            .member("kind", std::string_view(r.kind));
        to.member("state", stats::to_string(r.state))
            .member("age_ms", to_ms(r.age_ns))
            .member("in_state_ms", to_ms(r.in_state_ns));
        to.member("loop_ms", to_ms(r.loop_ns))
            .member("queue_ms", to_ms(r.queue_ns))
            .member("thread_ms", to_ms(r.thread_ns));
        to.end_object();
    }
    to.end_array();
    to.member("not_listed", snapshot.total.waiting > listed ? snapshot.total.waiting - listed : 0);
}

}  // namespace

std::string status_json(const stats_snapshot& snapshot, std::int64_t at_ms) {
    std::string out;
    codec::json_writer to(out);
    to.begin_object();
    to.member("version", version).member("at_ms", at_ms);
    to.key("all");
    write_worker(to, snapshot.total);
    to.key("latency_ms").begin_object();
    for (const auto& [name, q] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}})
        to.member(name, quantile_ms(snapshot.latency, q));
    to.end_object();
    // Lets a polling client compute the latencies of each interval.
    to.key("bounds_ms").begin_array();
    for (std::size_t i = 0; i + 1 < stats::latency::bucket_count; ++i) to.value(to_ms(stats::latency::upper_bound(i)));
    to.end_array();
    to.key("latency_counts").begin_array();
    for (const std::uint64_t count : snapshot.latency) to.value(count);
    to.end_array();
    to.key("workers").begin_array();
    for (const worker_snapshot& w : snapshot.workers) write_worker(to, w);
    to.end_array();
    to.key("compute_pools").begin_array();
    for (const compute_pool_snapshot& c : snapshot.compute_pools) write_compute_pool(to, c);
    to.end_array();
    to.key("views").begin_array();
    for (const view_snapshot& v : snapshot.views) write_view(to, v);
    to.end_array();
    to.key("request_states").begin_object();
    for (std::size_t i = 1; i < request_state_count; ++i)
        to.member(stats::to_string(static_cast<stats::request_state>(i)), snapshot.waiting_by_state[i]);
    to.end_object();
    write_resources(to, snapshot);
    write_running(to, snapshot);
    to.end_object();
    return out;
}

std::string requests_json(const stats_snapshot& snapshot) {
    std::string out;
    codec::json_writer to(out);
    to.begin_object();
    write_running(to, snapshot);
    to.end_object();
    return out;
}

}  // namespace rondo::admin
