// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/offload_timer.hpp>

#include <algorithm>

#include <rondo/base/run_delay.hpp>

namespace rondo::handler {

namespace {

constexpr std::int64_t long_wait_ns = 500'000;  // beside this a system call is nothing

// A thread that was free and had no processor yet was not waited for: more threads would not have helped. What it had
// no processor for since it was last asked is that, nearly.
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
    // Requests that have a thread of their own hop from several.
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

thread_hop::stay::stay(thread_hop& hop, stats::place where) noexcept : hop_(hop) {
    hop_.waited_ns_ = waited_for_thread((clock::now() - hop_.asked_).count());
    if (hop_.row_ == nullptr) return;
    add_to(hop_.row_->queue_ns, hop_.waited_ns_);
    hop_.row_->goes(where);
    watch_.start();
}

thread_hop::stay::~stay() {
    if (hop_.row_ == nullptr) return;
    const lap took = watch_.stop();
    add_to(hop_.row_->held.cpu_ns, took.cpu_ns);
    if (hop_.request_.on_thread) return;  // that thread's stay counts this time
    add_to(hop_.row_->thread_ns, took.measured_ns ? took.measured_ns : took.ns);
    add_to(hop_.row_->held.measured_ns, took.measured_ns);
}

}  // namespace rondo::handler
