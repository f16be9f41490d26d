// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/advice.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <rondo/admin/view_snapshot.hpp>

namespace rondo::admin {

namespace {

constexpr std::uint64_t least_requests = 20;
constexpr double much_ms = 5;       // on the loop, or of computation on a thread for blocking work
constexpr double noticed_ms = 1;    // in a queue, or of waiting on a thread
constexpr double mostly = 0.5;      // share of its time in a queue
constexpr double computes = 0.8;    // CPU share of the time on a thread
constexpr double only_waits = 0.1;  // likewise
constexpr double stalls_often = 0.01;

/// Mean times per request in milliseconds.
struct means {
    explicit means(const view_totals& v) noexcept : requests(static_cast<double>(v.requests())) {
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

    [[nodiscard]] double of_wall(double part) const noexcept { return wall > 0 ? std::min(part / wall, 1.0) : 0; }
};

std::string percent(double part) { return fmt::format("{:.0f} %", part * 100); }

std::string of_async(const view_totals& v, const means& m) {
    if (m.loop >= much_ms) {
        const std::string blocks = fmt::format("blocks the event loop for {:.0f} ms per request ({} of its time)",
                                               m.loop, percent(m.of_wall(m.loop)));
        if (!m.cpu_known || (m.cpu > only_waits && m.cpu < mostly))
            return blocks + ": return a response instead of a task, or use rondo::cpu(view) if it computes";
        if (m.cpu >= mostly) return blocks + fmt::format(", {} of that CPU: make it rondo::cpu(view)", percent(m.cpu));
        return blocks + " while it waits: make it sync (return a response), or await the operation";
    }
    if (static_cast<double>(v.stalls) >= std::max(3.0, m.requests * stalls_often))
        return fmt::format("stalled the event loop {} times: see the stacks in the log", v.stalls);
    return {};
}

std::string of_sync(const means& m) {
    if (m.thread >= much_ms && m.cpu_known && m.cpu >= computes)
        return fmt::format(
            "computes for {:.0f} ms per request ({} CPU) on a thread for blocking work: make it rondo::cpu(view)",
            m.thread, percent(m.cpu));
    if (m.queue >= noticed_ms && m.of_wall(m.queue) >= mostly)
        return fmt::format("spends {} of its time waiting for a thread: raise --threads, or make it async",
                           percent(m.of_wall(m.queue)));
    if (m.thread >= noticed_ms && m.cpu_known && m.cpu <= only_waits)
        return fmt::format("only waits ({:.0f} ms per request, {} CPU) but occupies a thread: make it async", m.thread,
                           percent(m.cpu));
    return {};
}

std::string of_cpu(const means& m) {
    if (m.thread >= noticed_ms && m.cpu_known && m.cpu <= only_waits)
        return fmt::format("hardly computes ({} CPU) but occupies a compute thread: make it sync or async",
                           percent(m.cpu));
    if (m.queue >= noticed_ms && m.of_wall(m.queue) >= mostly)
        return fmt::format(
            "spends {} of its time waiting for a compute thread: add CPUs, or reduce concurrent requests",
            percent(m.of_wall(m.queue)));
    return {};
}

}  // namespace

std::string advice(const view_totals& view) {
    if (view.requests() < least_requests) return {};
    const means m(view);
    if (view.kind == "async") return of_async(view, m);
    if (view.kind == "sync") return of_sync(m);
    if (view.kind == "cpu") return of_cpu(m);
    return {};
}

}  // namespace rondo::admin
