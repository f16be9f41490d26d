// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/background.hpp>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {

void background_group::spawn(task<void> work) {
    event_loop* const loop = loop_.load(std::memory_order_acquire);
    if (loop == nullptr) {
        throw std::logic_error(
            fmt::format("background group '{}': cannot spawn a task, the application is not running", name_));
    }
    if (unfinished_.fetch_add(1) >= options_.limit) {
        unfinished_.fetch_sub(1);
        throw background_full(fmt::format(
            "background group '{}' is full: {} unfinished tasks; spawn fewer or raise background_options::limit", name_,
            options_.limit));
    }
    if (event_loop::current_or_null() == loop) return start(std::move(work));
    loop->post([this, work = std::move(work)]() mutable { start(std::move(work)); });
}

void background_group::open(event_loop& loop) {
    tasks_.emplace(&task_group::ignore_failure, nullptr);  // run() handles failures
    loop_.store(&loop, std::memory_order_release);
}

void background_group::start(task<void> work) {
    if (tasks_) return tasks_->spawn(run(std::move(work)));
    unfinished_.fetch_sub(1);
    log::error(fmt::format("background group '{}': a task was spawned after shutdown and did not run", name_));
}

task<void> background_group::run(task<void> work) {
    try {
        co_await std::move(work);
    } catch (const cancelled&) {
    } catch (const std::exception& e) {
        failed_.fetch_add(1, std::memory_order_relaxed);
        log::error(fmt::format("background group '{}': a task failed: {}", name_, e.what()));
    } catch (...) {
        failed_.fetch_add(1, std::memory_order_relaxed);
        log::error(fmt::format("background group '{}': a task failed", name_));
    }
    if (unfinished_.fetch_sub(1) == 1) idle_.set();
}

task<void> background_group::wait_until_idle() {
    while (size() > 0) {
        idle_.reset();
        co_await idle_.wait();
    }
}

task<void> background_group::close(instant deadline) {
    if (!tasks_) co_return;
    if (size() > 0) log::info(fmt::format("background group '{}': waiting for {} tasks", name_, size()));
    try {
        co_await with_timeout(deadline - clock::now(), wait_until_idle());
    } catch (const timed_out&) {
    }
    loop_.store(nullptr, std::memory_order_release);
    if (size() > 0) {
        log::warning(fmt::format("background group '{}': cancelling {} tasks at the shutdown deadline", name_, size()));
        tasks_->cancel(cancel_reason::drain);
    }
    co_await tasks_->join();
    tasks_.reset();
}

}  // namespace rondo
