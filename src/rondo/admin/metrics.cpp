// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/metrics.hpp>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/base/version.hpp>

namespace rondo::admin {

namespace {

using label = std::pair<std::string_view, std::string_view>;
using labels = std::initializer_list<label>;

// The exported bounds: powers of two from 8 microseconds on, which is every fourth bucket of a histogram.
constexpr std::size_t first_exported_bucket = 12;
static_assert(first_exported_bucket % stats::latency::buckets_per_octave == 0);

double to_seconds(std::int64_t ns) noexcept { return static_cast<double>(ns) / 1e9; }

class metrics_writer {
public:
    explicit metrics_writer(std::string& out) noexcept : out_(out) {}

    metrics_writer& family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
        return *this;
    }
    template <class Number>
    metrics_writer& sample(Number value, labels with = {}) {
        return write_line("", value, with, {});
    }
    /// `sum` in seconds.
    metrics_writer& histogram(const stats::latency::histogram_totals& counts, double sum, labels with) {
        std::uint64_t below = 0;
        for (std::size_t i = 0; i + 1 < counts.size(); ++i) {
            below += counts[i];
            if (i < first_exported_bucket || i % stats::latency::buckets_per_octave != 0) continue;
            const std::string bound = fmt::format("{}", to_seconds(stats::latency::upper_bound(i)));
            write_line("_bucket", below, with, {"le", bound});
        }
        below += counts.back();
        write_line("_bucket", below, with, {"le", "+Inf"});
        write_line("_sum", sum, with, {});
        return write_line("_count", below, with, {});
    }

private:
    template <class Number>
    metrics_writer& write_line(std::string_view suffix, Number value, labels with, label last) {
        out_.append(name_).append(suffix);
        char before = '{';
        for (const label& l : with) append_label(l, before);
        if (!last.first.empty()) append_label(last, before);
        if (before == ',') out_ += '}';
        fmt::format_to(std::back_inserter(out_), " {}\n", value);
        return *this;
    }
    void append_label(const label& l, char& before) {
        out_ += std::exchange(before, ',');
        out_.append(l.first).append("=\"");
        for (const char c : l.second) {
            if (c == '\n') out_ += "\\n";
            else if (c == '"' || c == '\\') (out_ += '\\') += c;
            else out_ += c;
        }
        out_ += '"';
    }

    std::string& out_;
    std::string name_;
};

std::string_view route_of(const view_snapshot& v) { return v.pattern.empty() ? "(none)" : std::string_view(v.pattern); }
std::string_view kind_of(const view_snapshot& v) { return v.kind.empty() ? "none" : std::string_view(v.kind); }

constexpr std::string_view status_classes[] = {"aborted", "1xx", "2xx", "3xx", "4xx", "5xx", "client_closed"};

void write_view_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    to.family("rondo_http_requests_total", "counter", "Requests by view and status class.");
    for (const view_snapshot& v : snapshot.views)
        for (std::size_t i = 0; i < std::size(status_classes); ++i)
            if (v.by_class[i] != 0 || i == 2)
                to.sample(v.by_class[i], {{"route", route_of(v)},
                                          {"methods", v.methods},
                                          {"kind", kind_of(v)},
                                          {"status", status_classes[i]}});
    to.family("rondo_http_request_duration_seconds", "histogram",
              "Time from the request head to the end of the response.");
    for (const view_snapshot& v : snapshot.views)
        if (v.requests() != 0)
            to.histogram(v.latency, to_seconds(v.wall_ns),
                         {{"route", route_of(v)}, {"methods", v.methods}, {"kind", kind_of(v)}});
    const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        to.family(name, type, help);
        for (const view_snapshot& v : snapshot.views)
            to.sample(value(v), {{"route", route_of(v)}, {"methods", v.methods}, {"kind", kind_of(v)}});
    };
    each("rondo_view_loop_seconds_total", "counter", "Time that views ran on the event loop.",
         [](const view_snapshot& v) { return to_seconds(v.loop_ns); });
    each("rondo_view_queue_seconds_total", "counter", "Time that requests waited for a thread.",
         [](const view_snapshot& v) { return to_seconds(v.queue_ns); });
    each("rondo_view_thread_seconds_total", "counter", "Time that views ran on a thread.",
         [](const view_snapshot& v) { return to_seconds(v.thread_ns); });
    each("rondo_view_stalls_total", "counter", "Requests that blocked the event loop longer than the stall threshold.",
         [](const view_snapshot& v) { return v.stalls; });
    each("rondo_view_running", "gauge", "Requests that currently wait or are on a thread.",
         [](const view_snapshot& v) { return v.running; });
}

void write_request_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    const worker_snapshot& a = snapshot.total;
    to.family("rondo_requests_received_total", "counter", "Request heads received.").sample(a.requests);
    to.family("rondo_responses_total", "counter", "Responses finished.").sample(a.responses);
    to.family("rondo_requests_refused_total", "counter",
              "Invalid requests and timeouts, answered by the server itself.")
        .sample(a.refused);
    to.family("rondo_requests_aborted_total", "counter", "Responses aborted before their end.").sample(a.aborted);
    to.family("rondo_requests_client_closed_total", "counter",
              "Responses aborted because the client closed the connection.")
        .sample(a.client_closed);
    to.family("rondo_requests_lost_total", "counter", "Requests lost because their worker exited.").sample(a.lost);
    to.family("rondo_requests_in_flight", "gauge", "Requests in flight.").sample(a.in_flight);
    to.family("rondo_requests_waiting", "gauge", "Requests in flight that wait or are on a thread.").sample(a.waiting);
    to.family("rondo_requests_by_state", "gauge", "Requests that wait or are on a thread, by state.");
    for (std::size_t i = 1; i < request_state_count; ++i)
        to.sample(snapshot.waiting_by_state[i], {{"state", stats::to_string(static_cast<stats::request_state>(i))}});
    to.family("rondo_connections", "gauge", "Open connections by state.");
    for (std::size_t i = 0; i < stats::connection_state_count; ++i)
        to.sample(a.connections_by_state[i], {{"state", stats::to_string(static_cast<stats::connection_state>(i))}});
    to.family("rondo_connections_accepted_total", "counter", "Connections accepted.").sample(a.accepted);
    to.family("rondo_access_log_lines_lost_total", "counter", "Access log lines dropped because the buffer was full.")
        .sample(a.log_lines_lost);
    to.family("rondo_error_log_lines_lost_total", "counter",
              "Error log lines of workers dropped because the buffer was full.")
        .sample(a.error_log_lines_lost);
}

void write_thread_pool_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    const std::pair<std::string_view, const pool_snapshot*> pools[] = {{"blocking", &snapshot.total.blocking},
                                                                       {"compute", &snapshot.total.compute}};
    const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        to.family(name, type, help);
        for (const auto& [pool, p] : pools) to.sample(value(*p), {{"pool", pool}});
    };
    each("rondo_pool_threads", "gauge", "Running threads.", [](const pool_snapshot& p) { return p.threads; });
    each("rondo_pool_threads_limit", "gauge", "Maximum number of threads.",
         [](const pool_snapshot& p) { return p.max_threads; });
    each("rondo_pool_busy_threads", "gauge", "Threads that run a job.",
         [](const pool_snapshot& p) { return p.running; });
    each("rondo_pool_waiting", "gauge", "Jobs waiting for a thread.", [](const pool_snapshot& p) { return p.waiting; });
    each("rondo_pool_jobs_total", "counter", "Jobs completed.", [](const pool_snapshot& p) { return p.jobs; });
    each("rondo_pool_refused_total", "counter", "Jobs refused because the queue was full.",
         [](const pool_snapshot& p) { return p.refused; });
    to.family("rondo_pool_queue_wait_seconds", "histogram", "Time that jobs waited for a thread.");
    for (const auto& [pool, p] : pools) to.histogram(p->queue, to_seconds(p->queue_ns), {{"pool", pool}});
}

void write_compute_pool_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        to.family(name, type, help);
        for (const compute_pool_snapshot& c : snapshot.compute_pools) to.sample(value(c), {{"name", c.name}});
    };
    each("rondo_compute_processes", "gauge", "Compute processes.",
         [](const compute_pool_snapshot& c) { return c.processes.size(); });
    each("rondo_compute_busy_processes", "gauge", "Compute processes that run a job.",
         [](const compute_pool_snapshot& c) { return c.busy(); });
    each("rondo_compute_starts_total", "counter", "Compute processes started.",
         [](const compute_pool_snapshot& c) { return c.starts; });
    each("rondo_compute_crashes_total", "counter", "Compute processes that crashed.",
         [](const compute_pool_snapshot& c) { return c.crashes; });
    each("rondo_compute_waiting", "gauge", "Jobs waiting for a compute process.",
         [](const compute_pool_snapshot& c) { return c.waiting; });
    each("rondo_compute_running", "gauge", "Jobs running in a compute process.",
         [](const compute_pool_snapshot& c) { return c.running; });
    to.family("rondo_compute_jobs_total", "counter", "Jobs of compute processes, by outcome.");
    for (const compute_pool_snapshot& c : snapshot.compute_pools)
        for (std::size_t i = 0; i < stats::job_outcome_count; ++i)
            to.sample(c.outcomes[i],
                      {{"name", c.name}, {"outcome", stats::to_string(static_cast<stats::job_outcome>(i))}});
    to.family("rondo_compute_queue_wait_seconds", "histogram", "Time that jobs waited for a compute process.");
    for (const compute_pool_snapshot& c : snapshot.compute_pools)
        to.histogram(c.queue, to_seconds(c.queue_ns), {{"name", c.name}});
    to.family("rondo_compute_run_seconds", "histogram", "Run time of jobs in a compute process.");
    for (const compute_pool_snapshot& c : snapshot.compute_pools)
        to.histogram(c.wall, to_seconds(c.wall_ns), {{"name", c.name}});
    to.family("rondo_compute_cpu_seconds", "histogram", "CPU time of jobs in a compute process.");
    for (const compute_pool_snapshot& c : snapshot.compute_pools)
        to.histogram(c.cpu, to_seconds(c.cpu_ns), {{"name", c.name}});
}

void write_compute_process_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        to.family(name, type, help);
        for (const compute_pool_snapshot& c : snapshot.compute_pools)
            for (const compute_process& p : c.processes) to.sample(value(p), {{"name", c.name}, {"compute", p.name}});
    };
    to.family("rondo_compute_process_info", "gauge", "Always 1; the labels describe the process.");
    for (const compute_pool_snapshot& c : snapshot.compute_pools)
        for (const compute_process& p : c.processes)
            to.sample(1, {{"name", c.name}, {"compute", p.name}, {"pid", std::to_string(p.pid)}, {"state", p.state}});
    each("rondo_compute_process_age_seconds", "gauge", "Time since the process started.",
         [](const compute_process& p) { return to_seconds(p.age_ns); });
    each("rondo_compute_process_busy_seconds", "gauge", "Run time of the current job; 0: idle.",
         [](const compute_process& p) { return to_seconds(p.busy_ns); });
    each("rondo_compute_process_jobs_total", "counter", "Jobs run by this process slot.",
         [](const compute_process& p) { return p.jobs; });
    each("rondo_compute_process_resident_bytes", "gauge", "Resident memory.",
         [](const compute_process& p) { return p.resident_bytes; });
}

void write_worker_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    to.family("rondo_worker_starts_total", "counter", "Workers started.").sample(snapshot.total.starts);
    to.family("rondo_worker_crashes_total", "counter", "Workers that crashed.").sample(snapshot.total.crashes);
    to.family("rondo_stalls_total", "counter", "Times that an event loop was blocked longer than the stall threshold.")
        .sample(snapshot.total.stalls);
    to.family("rondo_loop_delay_seconds", "histogram", "Delay of a timer, sampled twice a second.");
    const double sum = [&] {
        double s = 0;
        for (std::size_t i = 0; i + 1 < snapshot.total.loop_delay.size(); ++i)
            s += static_cast<double>(snapshot.total.loop_delay[i]) * to_seconds(stats::latency::upper_bound(i));
        return s;
    }();
    to.histogram(snapshot.total.loop_delay, sum, {});
    const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        to.family(name, type, help);
        for (const worker_snapshot& w : snapshot.workers) to.sample(value(w), {{"worker", w.name}});
    };
    to.family("rondo_worker_info", "gauge", "Always 1; the labels describe the worker.");
    for (const worker_snapshot& w : snapshot.workers)
        to.sample(1, {{"worker", w.name}, {"pid", std::to_string(w.pid)}, {"state", w.state}});
    each("rondo_worker_age_seconds", "gauge", "Time since the worker started.",
         [](const worker_snapshot& w) { return to_seconds(w.age_ns); });
    each("rondo_worker_requests_received_total", "counter", "Request heads received.",
         [](const worker_snapshot& w) { return w.requests; });
    each("rondo_worker_responses_total", "counter", "Responses finished.",
         [](const worker_snapshot& w) { return w.responses; });
    each("rondo_worker_requests_in_flight", "gauge", "Requests in flight.",
         [](const worker_snapshot& w) { return w.in_flight; });
    each("rondo_worker_requests_waiting", "gauge", "Requests in flight that wait or are on a thread.",
         [](const worker_snapshot& w) { return w.waiting; });
    each("rondo_worker_connections", "gauge", "Open connections.",
         [](const worker_snapshot& w) { return w.connections; });
    each("rondo_worker_loop_busy_seconds_total", "counter", "Time the loop was busy since the worker started.",
         [](const worker_snapshot& w) { return to_seconds(w.busy_ns); });
    each("rondo_worker_loop_delay_seconds", "gauge",
         "Delay of a timer at the last sample, or how long the loop has been blocked.",
         [](const worker_snapshot& w) { return to_seconds(w.loop_delay_ns); });
    each("rondo_worker_longest_turn_seconds", "gauge", "Longest turn of the loop in the last half second.",
         [](const worker_snapshot& w) { return to_seconds(w.longest_turn_ns); });
    each("rondo_worker_stalls_total", "counter", "Times that the loop was blocked longer than the stall threshold.",
         [](const worker_snapshot& w) { return w.stalls; });
    each("rondo_worker_gil_wait_seconds_total", "counter", "Time that the event loop has waited for the GIL of Python.",
         [](const worker_snapshot& w) { return to_seconds(w.gil_wait_ns); });
    each("rondo_worker_resident_bytes", "gauge", "Resident memory.",
         [](const worker_snapshot& w) { return w.resident_bytes; });
    each("rondo_worker_busy_threads", "gauge", "Threads that run a sync or cpu view.",
         [](const worker_snapshot& w) { return w.blocking.running + w.compute.running; });
}

// Groups the samples of a family, as the format requires.
void write_resource_metrics(metrics_writer& to, const stats_snapshot& snapshot) {
    std::vector<const client_library_snapshot*> sorted;
    for (const client_library_snapshot& r : snapshot.resources) sorted.push_back(&r);
    std::ranges::sort(sorted, {},
                      [](const client_library_snapshot* r) { return std::tie(r->group, r->name, r->instance); });
    const client_library_snapshot* previous = nullptr;
    for (const client_library_snapshot* r : sorted) {
        if (previous == nullptr || previous->group != r->group || previous->name != r->name)
            to.family(fmt::format("rondo_{}_{}{}{}", r->group, r->name, r->is_duration ? "_seconds" : "",
                                  r->is_counter ? "_total" : ""),
                      r->is_counter ? "counter" : "gauge", r->help);
        previous = r;
        const auto value = [&](labels with) {
            if (r->is_duration) to.sample(to_seconds(static_cast<std::int64_t>(r->value)), with);
            else to.sample(r->value, with);
        };
        if (r->instance.empty()) value({});
        else value({{"name", r->instance}});
    }
}

}  // namespace

std::string metrics_text(const stats_snapshot& snapshot) {
    std::string out;
    metrics_writer to(out);
    to.family("rondo_build_info", "gauge", "Always 1; the label is the version.").sample(1, {{"version", version}});
    write_request_metrics(to, snapshot);
    write_view_metrics(to, snapshot);
    write_thread_pool_metrics(to, snapshot);
    write_worker_metrics(to, snapshot);
    write_compute_pool_metrics(to, snapshot);
    write_compute_process_metrics(to, snapshot);
    write_resource_metrics(to, snapshot);
    return out;
}

}  // namespace rondo::admin
