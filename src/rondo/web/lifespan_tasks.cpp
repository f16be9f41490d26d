// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/lifespan_tasks.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto first_pause = 100ms, longest_pause = 10'000ms;

// What `call` threw, as text; nothing when it did not. Cancellation goes on.
task<std::optional<std::string>> error_of(const hook& call) {
    try {
        co_await run_hook(call);
    } catch (const cancelled&) {
        throw;
    } catch (const std::exception& e) {
        co_return e.what();
    } catch (...) {
        co_return "something that is no std::exception";
    }
    co_return std::nullopt;
}

}  // namespace

task<void> run_hook(const hook& h) {
    if (h.async != nullptr) co_await h.async(h.object.get());
    else co_await run_blocking([&h] { h.sync(h.object.get()); });
}

background_group& companions::group(std::string_view name, background_options options) {
    const std::scoped_lock held(mutex_);
    const auto found = std::ranges::find_if(groups_, [&](const auto& g) { return g->name() == name; });
    if (found != groups_.end()) return **found;
    groups_.push_back(std::make_unique<background_group>(std::string(name), options));
    if (loop_ != nullptr) groups_.back()->open(*loop_);
    return *groups_.back();
}

void companions::start(const election& elect) {
    {
        const std::scoped_lock held(mutex_);
        loop_ = &event_loop::current();
        for (const auto& g : groups_) g->open(*loop_);
    }
    running_.emplace(&task_group::ignore, nullptr);  // each deals with its failures
    for (const lasting& what : lasting_) running_->spawn(what.interval ? repeat(what, elect) : keep_running(what));
}

task<void> companions::end(instant until) {
    if (!running_) co_return;
    running_->cancel(cancel_reason::drain);
    co_await running_->join();
    running_.reset();
    std::vector<background_group*> all;
    {
        const std::scoped_lock held(mutex_);
        loop_ = nullptr;
        for (const auto& g : groups_) all.push_back(g.get());
    }
    for (background_group* g : all) co_await g->close(until);
}

task<void> companions::keep_running(const lasting& what) {
    std::chrono::milliseconds pause = first_pause;
    while (true) {
        const instant began = clock::now();
        const std::optional<std::string> failure = co_await error_of(what.call);
        if (!failure) co_return;
        if (clock::now() - began > longest_pause) pause = first_pause;
        log::error(fmt::format("'{}' failed and is started again in {} ms: {}", what.name, pause.count(), *failure));
        co_await sleep(pause);
        pause = std::min<std::chrono::milliseconds>(2 * pause, longest_pause);
    }
}

task<void> companions::repeat(const lasting& what, election elect) {
    instant next = clock::now();
    while (true) {
        // What took longer than the interval is not made up for.
        next = std::max(next + *what.interval, clock::now());
        co_await event_loop::current().sleep_until(next);
        if (elect && !elect(what.name)) continue;
        const std::optional<std::string> failure = co_await error_of(what.call);
        if (failure) log::error(fmt::format("the periodic task '{}' failed: {}", what.name, *failure));
    }
}

}  // namespace rondo::detail
