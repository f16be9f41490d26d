// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/thread_hop.hpp>

namespace rondo::handler {

thread_hop::thread_hop(request& r, place queue) noexcept
    : request_(r), row_(r.goes(queue)), asked_(clock::now()), compute_(queue == place::compute_queue) {}

thread_hop::~thread_hop() {
    if (request_.serving == nullptr) return;
    pool_figures& pool = compute_ ? request_.serving->compute : request_.serving->blocking;
    if (waited_ns_ < 0) {
        add_to(pool.refused, 1);
    } else {
        add_to(pool.jobs, 1);
        add_to(pool.queue_ns, waited_ns_);
        latency::count(pool.queue, waited_ns_);
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
    add_to(hop_.row_->thread_ns, took.ns);
    add_to(hop_.row_->held.measured_ns, took.measured_ns);
    add_to(hop_.row_->held.cpu_ns, took.cpu_ns);
}

}  // namespace rondo::handler
