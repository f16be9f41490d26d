// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/thread_hop.hpp>

namespace rondo::handler {

thread_hop::thread_hop(request& r, place queue) noexcept
    : request_(r), row_(r.goes(queue)), asked_(clock::now()), compute_(queue == place::compute_queue) {}

thread_hop::~thread_hop() {
    if (request_.serving == nullptr) return;
    pool_figures& pool = compute_ ? request_.serving->compute : request_.serving->blocking;
    // Requests that have a thread of their own hop from several.
    constexpr auto order = std::memory_order_relaxed;
    if (waited_ns_ < 0) {
        pool.refused.fetch_add(1, order);
    } else {
        pool.jobs.fetch_add(1, order);
        pool.queue_ns.fetch_add(waited_ns_, order);
        pool.queue[latency::bucket_of(waited_ns_)].fetch_add(1, order);
    }
    request_.goes(place::loop);
}

thread_hop::stay::stay(thread_hop& hop, place where) noexcept : hop_(hop) {
    hop_.waited_ns_ = (clock::now() - hop_.asked_).count();
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
    add_to(hop_.row_->thread_ns, took.ns);
    add_to(hop_.row_->held.measured_ns, took.measured_ns);
}

}  // namespace rondo::handler
