// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/heartbeat.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <rondo/admin/admin_backend.hpp>
#include <rondo/base/interrupt_thread.hpp>
#include <rondo/base/log.hpp>
#include <rondo/base/thread.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto heartbeat_interval = 500ms;
constexpr auto count_interval = 20ms;  // keeps the overshoot of a request limit small
constexpr auto stack_timeout = 200ms;

std::string first_line(const std::string& path) {
    char text[128] = "";
    if (std::FILE* f = std::fopen(path.c_str(), "re")) {
        if (!std::fgets(text, sizeof text, f)) text[0] = 0;
        std::fclose(f);
    }
    std::string line = text;
    while (line.ends_with('\n')) line.pop_back();
    return line;
}

}  // namespace

std::string all_thread_stacks() {
    std::string text;
    DIR* tasks = opendir("/proc/self/task");
    if (!tasks) return text;
    while (const dirent* entry = readdir(tasks)) {
        auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        if (thread <= 0 || thread == gettid()) continue;
        std::string name = first_line(fmt::format("/proc/self/task/{}/comm", thread));
        auto stack = capture_thread_stack(thread, stack_timeout);
        text += fmt::format("{}thread {} ({}):\n{}", text.empty() ? "" : "\n", thread, name,
                            stack ? stack->text() : std::string("cannot be interrupted"));
    }
    closedir(tasks);
    return text;
}

void dump_stacks_if_requested(process::child& self, const std::function<std::string()>& more_stacks) noexcept {
    if (!self.is_stack_dump_requested()) return;
    try {
        log::error("killed by the arbiter; thread stacks:\n" + all_thread_stacks());
        log::flush();  // more_stacks() may hang with the process
        const std::string more = more_stacks ? more_stacks() : std::string();
        if (!more.empty()) log::error(more);
        log::flush();
    } catch (...) {
        // Out of memory: nothing more can be logged.
    }
    self.set_stack_dump_done();
}

struct heartbeat::state {
    state(process::child& c, event_loop& l, const recycle_limits& max, std::function<std::uint64_t()> count,
          std::function<std::string()> more)
        : self(c),
          loop(l),
          limits(max),
          requests(std::move(count)),
          more_stacks(std::move(more)),
          started(clock::now()) {
        stack_trace::prepare();
        thread = named_thread("rondo-heart", [this] { run(); });
    }
    ~state() {
        {
            std::lock_guard lock(mutex);
            stopping = true;
        }
        wake.notify_all();
        thread.join();
    }

    void run() noexcept {
        auto pause = limits.requests ? std::chrono::milliseconds(count_interval) : heartbeat_interval;
        std::unique_lock lock(mutex);
        do {
            self.heartbeat(loop.counters().turn_start_ns.load(std::memory_order_relaxed));
            dump_stacks_if_requested(self, more_stacks);
            if (!recycle_requested) request_recycle_if_due();
        } while (!wake.wait_for(lock, pause, [this] { return stopping; }));
    }

    void request_recycle_if_due() noexcept {
        process::recycle_reason reason = process::recycle_reason::none;
        if (limits.requests && requests() >= limits.requests) reason = process::recycle_reason::requests;
        else if (limits.resident_bytes && admin::resident_bytes(getpid()) > limits.resident_bytes)
            reason = process::recycle_reason::memory;
        else if (limits.age > 0ms && clock::now() - started > limits.age) reason = process::recycle_reason::age;
        if (reason == process::recycle_reason::none) return;
        recycle_requested = true;
        self.request_recycling(reason);
    }

    process::child& self;
    event_loop& loop;
    recycle_limits limits;
    std::function<std::uint64_t()> requests;
    std::function<std::string()> more_stacks;
    instant started;
    bool recycle_requested = false;
    std::mutex mutex;
    std::condition_variable wake;
    bool stopping = false;
    named_thread thread;
};

heartbeat::heartbeat(process::child& self, event_loop& loop, const recycle_limits& limits,
                     std::function<std::uint64_t()> requests, std::function<std::string()> more_stacks)
    : state_(std::make_unique<state>(self, loop, limits, std::move(requests), std::move(more_stacks))) {}
heartbeat::~heartbeat() = default;

}  // namespace rondo::cli
