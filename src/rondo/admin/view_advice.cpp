// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/view_advice.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <rondo/admin/view_snapshot.hpp>

namespace rondo::admin {

namespace {

constexpr std::uint64_t min_requests = 20;
constexpr double high_ms = 5;            // on the loop, or of computation on a thread for blocking work
constexpr double noticeable_ms = 1;      // in a queue, or of waiting on a thread
constexpr double majority_share = 0.5;   // share of its time in a queue
constexpr double cpu_bound_share = 0.8;  // CPU share of the time on a thread
constexpr double waiting_share = 0.1;    // likewise
constexpr double frequent_stall_rate = 0.01;

/// Mean times per request in milliseconds.
struct request_means {
    explicit request_means(const view_snapshot& v) noexcept : requests(static_cast<double>(v.requests())) {
        const auto ms = [this](std::int64_t ns) { return static_cast<double>(ns) / requests / 1e6; };
        wall = ms(v.wall_ns);
        loop = ms(v.loop_ns);
        queue = ms(v.queue_ns);
        thread = ms(v.thread_ns);
        cpu_known = v.measured_ns > 1'000'000;
        cpu = cpu_known ? std::min(1.0, static_cast<double>(v.cpu_ns) / static_cast<double>(v.measured_ns)) : 0;
    }
    double requests;
    double wall, loop, queue, thread;
    double cpu;
    bool cpu_known;

    [[nodiscard]] double share_of_wall(double part) const noexcept { return wall > 0 ? std::min(part / wall, 1.0) : 0; }
};

std::string percent(double part) { return fmt::format("{:.0f} %", part * 100); }

std::string async_advice(const view_snapshot& v, const request_means& m) {
    if (m.loop >= high_ms) {
        const std::string blocks = fmt::format("blocks the event loop for {:.0f} ms per request ({} of its time)",
                                               m.loop, percent(m.share_of_wall(m.loop)));
        if (!m.cpu_known || (m.cpu > waiting_share && m.cpu < majority_share))
            return blocks + ": return a response instead of a task, or use rondo::cpu(view) if it computes";
        if (m.cpu >= majority_share)
            return blocks + fmt::format(", {} of that CPU: make it rondo::cpu(view)", percent(m.cpu));
        return blocks + " while it waits: make it sync (return a response), or await the operation";
    }
    if (static_cast<double>(v.stalls) >= std::max(3.0, m.requests * frequent_stall_rate))
        return fmt::format("stalled the event loop {} times: see the stacks in the log", v.stalls);
    return {};
}

std::string sync_advice(const request_means& m) {
    if (m.thread >= high_ms && m.cpu_known && m.cpu >= cpu_bound_share)
        return fmt::format(
            "computes for {:.0f} ms per request ({} CPU) on a thread for blocking work: make it rondo::cpu(view)",
            m.thread, percent(m.cpu));
    if (m.queue >= noticeable_ms && m.share_of_wall(m.queue) >= majority_share)
        return fmt::format("spends {} of its time waiting for a thread: raise --threads, or make it async",
                           percent(m.share_of_wall(m.queue)));
    if (m.thread >= noticeable_ms && m.cpu_known && m.cpu <= waiting_share)
        return fmt::format("only waits ({:.0f} ms per request, {} CPU) but occupies a thread: make it async", m.thread,
                           percent(m.cpu));
    return {};
}

std::string cpu_advice(const request_means& m) {
    if (m.thread >= noticeable_ms && m.cpu_known && m.cpu <= waiting_share)
        return fmt::format("hardly computes ({} CPU) but occupies a compute thread: make it sync or async",
                           percent(m.cpu));
    if (m.queue >= noticeable_ms && m.share_of_wall(m.queue) >= majority_share)
        return fmt::format(
            "spends {} of its time waiting for a compute thread: add CPUs, or reduce concurrent requests",
            percent(m.share_of_wall(m.queue)));
    return {};
}

}  // namespace

std::string advice(const view_snapshot& view) {
    if (view.requests() < min_requests) return {};
    const request_means m(view);
    if (view.kind == "async") return async_advice(view, m);
    if (view.kind == "sync") return sync_advice(m);
    if (view.kind == "cpu") return cpu_advice(m);
    return {};
}

}  // namespace rondo::admin
