// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/lifespan_tasks.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/backoff.hpp>
#include <rondo/base/log.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::detail {

namespace {

using namespace std::chrono_literals;

constexpr backoff restart{100ms, 10s};

// Runs `call` and returns the text of its exception, if any. Cancellation propagates.
task<std::optional<std::string>> run_and_catch(const hook& call) {
    try {
        co_await run_hook(call);
    } catch (const cancelled&) {
        throw;
    } catch (const std::exception& e) {
        co_return e.what();
    } catch (...) {
        co_return "unknown exception";
    }
    co_return std::nullopt;
}

}  // namespace

task<void> run_hook(const hook& h) {
    if (h.async != nullptr) co_await h.async(h.object.get());
    else co_await run_blocking([&h] { h.sync(h.object.get()); });
}

background_group& lifespan_tasks::group(std::string_view name, background_options options) {
    const std::scoped_lock held(mutex_);
    const auto found = std::ranges::find_if(groups_, [&](const auto& g) { return g->name() == name; });
    if (found != groups_.end()) return **found;
    groups_.push_back(std::make_unique<background_group>(std::string(name), options));
    if (loop_ != nullptr) groups_.back()->open(*loop_);
    return *groups_.back();
}

void lifespan_tasks::start(const leader_check& is_leader) {
    {
        const std::scoped_lock held(mutex_);
        loop_ = &event_loop::current();
        for (const auto& g : groups_) g->open(*loop_);
    }
    running_tasks_.emplace(&task_group::ignore_failure, nullptr);  // each task handles its failures
    for (const lifespan_task& entry : tasks_)
        running_tasks_->spawn(entry.interval ? run_periodically(entry, is_leader) : run_with_restarts(entry));
}

task<void> lifespan_tasks::stop(instant deadline) {
    if (!running_tasks_) co_return;
    running_tasks_->cancel(cancel_reason::drain);
    co_await running_tasks_->join();
    running_tasks_.reset();
    std::vector<background_group*> groups;
    {
        const std::scoped_lock held(mutex_);
        loop_ = nullptr;
        for (const auto& g : groups_) groups.push_back(g.get());
    }
    for (background_group* g : groups) co_await g->close(deadline);
}

task<void> lifespan_tasks::run_with_restarts(const lifespan_task& entry) {
    int failures = 0;
    while (true) {
        const instant started = clock::now();
        const std::optional<std::string> failure = co_await run_and_catch(entry.call);
        if (!failure) co_return;
        failures = clock::now() - started > restart.longest ? 1 : failures + 1;
        const clock::duration pause = restart.after(failures);
        log::error(fmt::format("'{}' failed; restarting in {} ms: {}", entry.name, pause / 1ms, *failure));
        co_await sleep(pause);
    }
}

task<void> lifespan_tasks::run_periodically(const lifespan_task& entry, leader_check is_leader) {
    instant next = clock::now();
    while (true) {
        // Missed runs are skipped.
        next = std::max(next + *entry.interval, clock::now());
        co_await event_loop::current().sleep_until(next);
        if (is_leader && !is_leader(entry.name)) continue;
        const std::optional<std::string> failure = co_await run_and_catch(entry.call);
        if (failure) log::error(fmt::format("periodic task '{}' failed: {}", entry.name, *failure));
    }
}

}  // namespace rondo::detail
