// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/request_stats.hpp>

#include <algorithm>
#include <utility>

namespace rondo::server {

namespace {

constexpr std::uint64_t sampling_threshold = 4000;
constexpr std::uint32_t sampling_ratio = 16;

// Excludes the time in which the thread was not scheduled, where that was measured.
std::int64_t occupied_ns(const cpu_sample& sample) noexcept {
    return sample.measured_ns ? sample.measured_ns : sample.ns;
}

}  // namespace

void request_counter::adapt_sampling(std::uint64_t per_second, bool stalls) noexcept {
    sample_every_ = per_second > sampling_threshold && !stalls ? sampling_ratio : 1;
    samples_since_adapt_ = 0;
    until_sample_ = std::clamp(until_sample_, 1u, sample_every_);
    store_relaxed(stats_.sample_every, sample_every_);
}

void request_counter::start_sample() noexcept {
    // The rate is high: adapt before the next periodic call.
    if (sample_every_ == 1 && ++samples_since_adapt_ == sampling_threshold) sample_every_ = sampling_ratio;
    until_sample_ = sample_every_;
    sampling_ = true;
    cpu_timer_.start();
}

void request_counter::record_stall(stats::view_stats& v, std::int64_t ns) noexcept {
    if (ns > stats_.stall_ns.load(std::memory_order_relaxed)) add_relaxed(v.stalls, 1);
}

void request_counter::on_suspend(handler::request& r) noexcept {
    if (r.running_row == 0) r.enter(stats::request_state::loop);
    if (!std::exchange(sampling_, false)) return;
    const cpu_sample first = cpu_timer_.stop();
    if (stats::running_request* row = stats_.running_row(r.running_row)) first.add_to(row->loop_time);
    // Its later parts are timed in any case.
    add_relaxed(stats_.views[r.view_row].loop_ns, occupied_ns(first) * (sample_every_ - 1));
}

void request_counter::record_time(stats::view_stats& v, const handler::request& r) noexcept {
    sampling_ = false;
    const cpu_sample sample = cpu_timer_.stop();
    const std::int64_t wall = (sample.ended - r.arrived).count();
    store_relaxed(v.last_bucket, stats::latency::bucket_index(wall));
    add_relaxed(v.wall_ns, wall * sample_every_);
    add_relaxed(v.loop_ns, occupied_ns(sample) * sample_every_);
    add_relaxed(v.measured_ns, sample.measured_ns);
    add_relaxed(v.cpu_ns, sample.cpu_ns);
    record_stall(v, occupied_ns(sample));
}

void request_counter::finish_suspended(stats::view_stats& v, handler::request& r, thread_activity& activity) noexcept {
    activity.flush();
    sampling_ = false;
    const std::int64_t wall = (clock::now() - r.arrived).count();
    stats::latency::record(v.latency, wall);
    add_relaxed(v.wall_ns, wall);
    if (const stats::running_request* row = stats_.running_row(r.running_row)) {
        add_relaxed(v.loop_ns, row->loop_time.ns.load(std::memory_order_relaxed));
        add_relaxed(v.measured_ns, row->loop_time.measured_ns.load(std::memory_order_relaxed));
        add_relaxed(v.cpu_ns, row->loop_time.cpu_ns.load(std::memory_order_relaxed));
        add_relaxed(v.queue_ns, row->queue_ns.load(std::memory_order_relaxed));
        add_relaxed(v.thread_ns, row->thread_ns.load(std::memory_order_relaxed));
        record_stall(v, std::int64_t{row->loop_time.max_us.load(std::memory_order_relaxed)} * 1000);
    }
    free_row(r);
}

void request_counter::free_row(handler::request& r) noexcept {
    if (r.context != nullptr) r.context->thread_time = nullptr;
    stats_.release_row(std::exchange(r.running_row, std::uint16_t{0}));
}

}  // namespace rondo::server
