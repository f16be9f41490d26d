// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/view_thread_pool.hpp>

#include <algorithm>
#include <optional>

#include <rondo/server/thread_request.hpp>

namespace rondo::server {

view_thread::view_thread(view_thread_pool& owner) : owner_(owner), loop_({backend_kind::epoll}) {
    loop_.use_pools(nullptr, owner.compute_);
    loop_.add(*this);
    const std::scoped_lock held(owner_.mutex_);
    owner_.threads_.push_back(this);
}

view_thread::~view_thread() {
    const std::scoped_lock held(owner_.mutex_);
    std::erase(owner_.threads_, this);
}

void view_thread::set_current(thread_request* current) noexcept {
    current_ = current;
    if (owner_.draining_.load(std::memory_order_relaxed)) draining_.set();
    else draining_.reset();
}

void view_thread::wake() noexcept {
    if (!woken_.exchange(true)) loop_.post(static_cast<posted_task&>(*this));
}

void view_thread::run_on_loop() noexcept {
    woken_.exchange(false);  // not store(): must synchronise with the last wake()
    if (owner_.draining_.load(std::memory_order_relaxed)) draining_.set();
    if (current_) current_->on_update();
}

void view_thread::before_wait() noexcept {
    if (current_) current_->before_wait();
}

view_thread_pool::view_thread_pool(const pool_options& options, thread_pool* compute)
    : compute_(compute), pool_(options) {}

view_thread_pool::~view_thread_pool() = default;

view_thread& view_thread_pool::current_thread() {
    thread_local std::optional<view_thread> thread;
    if (!thread) thread.emplace(*this);
    return *thread;
}

void view_thread_pool::watch_drain(event& draining) {
    if (watched_drain_ == &draining) return;
    watched_drain_ = &draining;
    draining_.store(false, std::memory_order_relaxed);
    drain_watcher_ = forward_drain(draining);
    drain_watcher_.coroutine().promise().set_context(&drain_watcher_context_);
    detail::start_task(drain_watcher_.coroutine());
}

task<void> view_thread_pool::forward_drain(event& draining) {
    co_await draining.wait();
    draining_.store(true, std::memory_order_relaxed);
    const std::scoped_lock held(mutex_);
    for (view_thread* thread : threads_) thread->wake();
}

}  // namespace rondo::server
