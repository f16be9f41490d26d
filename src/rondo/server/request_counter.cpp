// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/request_counter.hpp>

#include <algorithm>
#include <utility>

namespace rondo::server {

namespace {

constexpr std::uint64_t many_per_second = 4000;
constexpr std::uint32_t one_in = 16;

// Excludes the time in which the thread was not scheduled, where that was measured.
std::int64_t held(const lap& took) noexcept { return took.measured_ns ? took.measured_ns : took.ns; }

}  // namespace

void request_counter::adapt(std::uint64_t per_second, bool stalls) noexcept {
    every_ = per_second > many_per_second && !stalls ? one_in : 1;
    timed_since_ = 0;
    until_timed_ = std::clamp(until_timed_, 1u, every_);
    set_to(figures_.sample_every, every_);
}

void request_counter::start_timing() noexcept {
    // The rate is high: adapt before the next periodic call.
    if (every_ == 1 && ++timed_since_ == many_per_second) every_ = one_in;
    until_timed_ = every_;
    timed_ = true;
    watch_.start();
}

void request_counter::note_hold(stats::view_figures& v, std::int64_t ns) noexcept {
    if (ns > figures_.stall_ns.load(std::memory_order_relaxed)) add_to(v.stalls, 1);
}

void request_counter::waits(handler::request& r) noexcept {
    if (r.row == 0) r.goes(stats::place::loop);
    if (!std::exchange(timed_, false)) return;
    const lap first = watch_.stop();
    if (stats::running_request* row = figures_.row(r.row)) first.add_to(row->held);
    // Its later parts are timed in any case.
    add_to(figures_.views[r.view].loop_ns, held(first) * (every_ - 1));
}

void request_counter::count_time(stats::view_figures& v, const handler::request& r) noexcept {
    timed_ = false;
    const lap took = watch_.stop();
    const std::int64_t wall = (took.ended - r.arrived).count();
    set_to(v.last_bucket, stats::latency::bucket_of(wall));
    add_to(v.wall_ns, wall * every_);
    add_to(v.loop_ns, held(took) * every_);
    add_to(v.measured_ns, took.measured_ns);
    add_to(v.cpu_ns, took.cpu_ns);
    note_hold(v, held(took));
}

void request_counter::end_of_wait(stats::view_figures& v, handler::request& r, activity& doing) noexcept {
    doing.settle();
    timed_ = false;
    const std::int64_t wall = (clock::now() - r.arrived).count();
    stats::latency::count(v.latency, wall);
    add_to(v.wall_ns, wall);
    if (const stats::running_request* row = figures_.row(r.row)) {
        add_to(v.loop_ns, row->held.ns.load(std::memory_order_relaxed));
        add_to(v.measured_ns, row->held.measured_ns.load(std::memory_order_relaxed));
        add_to(v.cpu_ns, row->held.cpu_ns.load(std::memory_order_relaxed));
        add_to(v.queue_ns, row->queue_ns.load(std::memory_order_relaxed));
        add_to(v.thread_ns, row->thread_ns.load(std::memory_order_relaxed));
        note_hold(v, std::int64_t{row->held.longest_us.load(std::memory_order_relaxed)} * 1000);
    }
    free_row(r);
}

void request_counter::free_row(handler::request& r) noexcept {
    if (r.running_in != nullptr) r.running_in->held = nullptr;
    figures_.free_row(std::exchange(r.row, std::uint16_t{0}));
}

}  // namespace rondo::server
