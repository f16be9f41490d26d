// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/blocking_calls.hpp>

#include <deque>
#include <mutex>
#include <system_error>

#include <rondo/base/thread.hpp>

namespace rondo::db::postgres {

namespace {
constexpr int most_threads = 4;

struct errand {
    std::move_only_function<void()> job;
    std::move_only_function<void()> then;
};

}  // namespace

struct errands::state {
    std::mutex mutex;
    event_loop* loop = nullptr;  // null: the owner is destroyed
    std::deque<errand> waiting;
    int threads = 0;

    void serve() {
        std::unique_lock lock(mutex);
        while (!waiting.empty()) {
            errand e = std::move(waiting.front());
            waiting.pop_front();
            lock.unlock();
            e.job();
            e.job = nullptr;
            lock.lock();
            if (loop) loop->post(std::move(e.then));
        }
        --threads;
    }
};

errands::errands(event_loop& loop) : state_(std::make_shared<state>()), alive_(std::make_shared<bool>(true)) {
    state_->loop = &loop;
}

errands::~errands() {
    *alive_ = false;
    std::lock_guard lock(state_->mutex);
    state_->loop = nullptr;
    state_->waiting.clear();
}

void errands::run(std::move_only_function<void()> job, std::move_only_function<void()> then) {
    auto notify = [alive = alive_, then = std::move(then)]() mutable {
        if (*alive) then();
    };
    std::lock_guard lock(state_->mutex);
    state_->waiting.push_back({std::move(job), std::move(notify)});
    if (state_->threads == most_threads) return;
    try {
        named_thread("postgres", [s = state_] { s->serve(); }).detach();
        ++state_->threads;
    } catch (const std::system_error&) {
        if (state_->threads > 0) return;  // a running thread serves the queue
        state_->waiting.pop_back();
        throw;
    }
}

}  // namespace rondo::db::postgres
