// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/blocking_threads.hpp>

#include <deque>
#include <mutex>
#include <system_error>

#include <rondo/base/thread.hpp>

namespace rondo::db::postgres {

namespace {
constexpr int max_blocking_threads = 4;

struct blocking_call {
    std::move_only_function<void()> job;
    std::move_only_function<void()> then;
};

}  // namespace

struct blocking_calls::state {
    std::mutex mutex;
    event_loop* loop = nullptr;  // null: the owner is destroyed
    std::deque<blocking_call> queue;
    int threads = 0;

    void run_jobs() {
        std::unique_lock lock(mutex);
        while (!queue.empty()) {
            blocking_call e = std::move(queue.front());
            queue.pop_front();
            lock.unlock();
            e.job();
            e.job = nullptr;
            lock.lock();
            if (loop) loop->post(std::move(e.then));
        }
        --threads;
    }
};

blocking_calls::blocking_calls(event_loop& loop)
    : state_(std::make_shared<state>()), alive_(std::make_shared<bool>(true)) {
    state_->loop = &loop;
}

blocking_calls::~blocking_calls() {
    *alive_ = false;
    std::lock_guard lock(state_->mutex);
    state_->loop = nullptr;
    state_->queue.clear();
}

void blocking_calls::run(std::move_only_function<void()> job, std::move_only_function<void()> then) {
    auto notify = [alive = alive_, then = std::move(then)]() mutable {
        if (*alive) then();
    };
    std::lock_guard lock(state_->mutex);
    state_->queue.push_back({std::move(job), std::move(notify)});
    if (state_->threads == max_blocking_threads) return;
    try {
        named_thread("postgres", [s = state_] { s->run_jobs(); }).detach();
        ++state_->threads;
    } catch (const std::system_error&) {
        if (state_->threads > 0) return;  // a running thread serves the queue
        state_->queue.pop_back();
        throw;
    }
}

}  // namespace rondo::db::postgres
