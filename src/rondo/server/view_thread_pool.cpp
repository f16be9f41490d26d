// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/view_thread_pool.hpp>

#include <algorithm>
#include <optional>

#include <rondo/server/thread_request.hpp>

namespace rondo::server {

view_thread::view_thread(view_threads& owner) : owner_(owner), loop_({backend_kind::epoll}) {
    loop_.use_pools(nullptr, owner.compute_);
    loop_.add(*this);
    const std::scoped_lock held(owner_.mutex_);
    owner_.all_.push_back(this);
}

view_thread::~view_thread() {
    const std::scoped_lock held(owner_.mutex_);
    std::erase(owner_.all_, this);
}

void view_thread::serving(thread_request* current) noexcept {
    current_ = current;
    if (owner_.draining_.load(std::memory_order_relaxed)) draining_.set();
    else draining_.reset();
}

void view_thread::knock() noexcept {
    if (!knocked_.exchange(true)) loop_.post(static_cast<posted&>(*this));
}

void view_thread::run_on_loop() noexcept {
    knocked_.exchange(false);  // not store(): must synchronise with the last wake()
    if (owner_.draining_.load(std::memory_order_relaxed)) draining_.set();
    if (current_) current_->hear();
}

void view_thread::before_wait() noexcept {
    if (current_) current_->before_wait();
}

view_threads::view_threads(const pool_options& options, thread_pool* compute) : compute_(compute), pool_(options) {}

view_threads::~view_threads() = default;

view_thread& view_threads::here() {
    thread_local std::optional<view_thread> thread;
    if (!thread) thread.emplace(*this);
    return *thread;
}

void view_threads::follow(event& draining) {
    if (followed_ == &draining) return;
    followed_ = &draining;
    draining_.store(false, std::memory_order_relaxed);
    watching_ = tell_of_drain(draining);
    watching_.coroutine().promise().run_in(&watching_in_);
    detail::start_task(watching_.coroutine());
}

task<void> view_threads::tell_of_drain(event& draining) {
    co_await draining.wait();
    draining_.store(true, std::memory_order_relaxed);
    const std::scoped_lock held(mutex_);
    for (view_thread* thread : all_) thread->knock();
}

}  // namespace rondo::server
