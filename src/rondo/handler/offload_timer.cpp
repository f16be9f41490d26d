// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/offload_timer.hpp>

#include <algorithm>

#include <rondo/base/run_delay.hpp>

namespace rondo::handler {

namespace {

constexpr std::int64_t long_wait_ns = 500'000;  // much longer than a system call

// The time in the queue without the run delay of the thread: more threads would not have shortened that. It is
// approximately the growth since the last run_delay().
std::int64_t waited_for_thread(std::int64_t ns) noexcept {
    if (ns < long_wait_ns) return ns;
    const std::int64_t before = last_run_delay();
    return ns - std::clamp<std::int64_t>(run_delay() - before, 0, ns);
}

}  // namespace

thread_hop::thread_hop(request& r, stats::place queue) noexcept
    : request_(r), row_(r.goes(queue)), asked_(clock::now()), compute_(queue == stats::place::compute_queue) {}

thread_hop::~thread_hop() {
    if (request_.serving == nullptr) return;
    stats::pool_figures& pool = compute_ ? request_.serving->compute : request_.serving->blocking;
    // Requests with a dedicated thread count from several threads.
    constexpr auto order = std::memory_order_relaxed;
    if (waited_ns_ < 0) {
        pool.refused.fetch_add(1, order);
    } else {
        pool.jobs.fetch_add(1, order);
        pool.queue_ns.fetch_add(waited_ns_, order);
        pool.queue[stats::latency::bucket_of(waited_ns_)].fetch_add(1, order);
    }
    request_.goes(stats::place::loop);
}

thread_hop::stay::stay(thread_hop& timer, stats::place state) noexcept : hop_(timer) {
    hop_.waited_ns_ = waited_for_thread((clock::now() - hop_.asked_).count());
    if (hop_.row_ == nullptr) return;
    add_to(hop_.row_->queue_ns, hop_.waited_ns_);
    hop_.row_->goes(state);
    watch_.start();
}

thread_hop::stay::~stay() {
    if (hop_.row_ == nullptr) return;
    const lap sample = watch_.stop();
    add_to(hop_.row_->held.cpu_ns, sample.cpu_ns);
    if (hop_.request_.on_thread) return;  // counted by the scope of the dedicated thread
    add_to(hop_.row_->thread_ns, sample.measured_ns ? sample.measured_ns : sample.ns);
    add_to(hop_.row_->held.measured_ns, sample.measured_ns);
}

}  // namespace rondo::handler
