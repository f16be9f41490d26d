// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/offload_timer.hpp>

#include <algorithm>

#include <rondo/base/run_delay.hpp>

namespace rondo::handler {

namespace {

constexpr std::int64_t long_wait_ns = 500'000;  // much longer than a system call

// The time in the queue without the run delay of the thread: more threads would not have shortened that. It is
// approximately the growth since the last run_delay().
std::int64_t thread_wait(std::int64_t ns) noexcept {
    if (ns < long_wait_ns) return ns;
    const std::int64_t before = last_run_delay();
    return ns - std::clamp<std::int64_t>(run_delay() - before, 0, ns);
}

}  // namespace

offload_timer::offload_timer(request& r, stats::request_state queue) noexcept
    : request_(r),
      row_(r.enter(queue)),
      queued_at_(clock::now()),
      is_compute_(queue == stats::request_state::compute_queue) {}

offload_timer::~offload_timer() {
    if (request_.stats == nullptr) return;
    stats::pool_stats& pool = is_compute_ ? request_.stats->compute_pool : request_.stats->blocking_pool;
    // Requests with a dedicated thread count from several threads.
    constexpr auto order = std::memory_order_relaxed;
    if (waited_ns_ < 0) {
        pool.refused.fetch_add(1, order);
    } else {
        pool.jobs.fetch_add(1, order);
        pool.queue_ns.fetch_add(waited_ns_, order);
        pool.queue_histogram[stats::latency::bucket_index(waited_ns_)].fetch_add(1, order);
    }
    request_.enter(stats::request_state::loop);
}

offload_timer::scope::scope(offload_timer& timer, stats::request_state state) noexcept : timer_(timer) {
    timer_.waited_ns_ = thread_wait((clock::now() - timer_.queued_at_).count());
    if (timer_.row_ == nullptr) return;
    add_relaxed(timer_.row_->queue_ns, timer_.waited_ns_);
    timer_.row_->enter(state);
    cpu_timer_.start();
}

offload_timer::scope::~scope() {
    if (timer_.row_ == nullptr) return;
    const cpu_sample sample = cpu_timer_.stop();
    add_relaxed(timer_.row_->loop_time.cpu_ns, sample.cpu_ns);
    if (timer_.request_.has_own_thread) return;  // counted by the scope of the dedicated thread
    add_relaxed(timer_.row_->thread_ns, sample.measured_ns ? sample.measured_ns : sample.ns);
    add_relaxed(timer_.row_->loop_time.measured_ns, sample.measured_ns);
}

}  // namespace rondo::handler
