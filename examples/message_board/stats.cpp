// SPDX-License-Identifier: Apache-2.0
#include "stats.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>

#include <rondo/codec/json.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/web/sse.hpp>

#include "pages.hpp"

namespace message_board {
namespace {

using namespace std::chrono_literals;

struct process_stats {
    std::uint64_t threads = 0;
    std::uint64_t memory_kib = 0;  // resident
};

// The kernel generates this file when it is read, so reading it does not block the loop.
process_stats read_process_stats() {
    process_stats stats;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("Threads:")) stats.threads = std::stoull(line.substr(8));
        if (line.starts_with("VmRSS:")) stats.memory_kib = std::stoull(line.substr(6));
    }
    return stats;
}

// A test client has no server, so it has no stats.
const rondo::stats::worker_stats& server_stats_of(const rondo::request& req) {
    static const rondo::stats::worker_stats_memory empty;
    const rondo::stats::worker_stats* stats = req.server_request().stats;
    return stats != nullptr ? *stats : *empty;
}

// Totals, from which the page computes rates.
std::string snapshot(const rondo::stats::worker_stats& server) {
    const process_stats process = read_process_stats();
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(rondo::clock::now().time_since_epoch());
    std::string out;
    rondo::codec::json_writer writer(out);
    writer.begin_object();
    writer.member("time_ms", static_cast<std::int64_t>(now.count()));
    writer.member("pid", static_cast<std::int64_t>(::getpid()));
    writer.member("requests", server.requests.load());
    writer.member("responses", server.responses.load());
    writer.member("waiting", server.in_flight.load());
    writer.member("connections", server.connections.load());
    writer.member("busy_ms", static_cast<double>(server.busy_ns.load()) / 1e6);
    writer.member("loop_delay_ms", static_cast<double>(server.loop_delay_ns.load()) / 1e6);
    writer.member("stalls", server.stalls.load());
    writer.member("threads", process.threads);
    writer.member("pool_threads", server.pool_threads.load());
    writer.member("memory_bytes", process.memory_kib * 1024);
    writer.end_object();
    return out;
}

rondo::async_generator<rondo::sse_event> every_second(const rondo::stats::worker_stats& server) {
    while (true) {
        rondo::sse_event event;
        event.data = snapshot(server);
        co_yield std::move(event);
        co_await rondo::sleep(1s);
    }
}

rondo::response render_stats(const rondo::stats::worker_stats& server) {
    const process_stats process = read_process_stats();
    return page("stats", "Live stats",
                {{"pid", std::to_string(::getpid())},
                 {"requests", std::to_string(server.requests.load())},
                 {"waiting", std::to_string(server.in_flight.load())},
                 {"delay", fmt::format("{:.2f}", static_cast<double>(server.loop_delay_ns.load()) / 1e6)},
                 {"threads", std::to_string(process.threads)},
                 {"memory", fmt::format("{:.1f}", static_cast<double>(process.memory_kib) / 1024)},
                 {"connections", std::to_string(server.connections.load())}});
}

}  // namespace

rondo::task<rondo::response> stats_page(rondo::request& req) { co_return render_stats(server_stats_of(req)); }

rondo::task<rondo::response> stats_json(rondo::request& req) {
    co_return rondo::json_text(snapshot(server_stats_of(req))).field("Cache-Control", "no-store");
}

rondo::task<rondo::response> stats_events(rondo::request& req) {
    co_return rondo::sse(every_second(server_stats_of(req)));
}

}  // namespace message_board
