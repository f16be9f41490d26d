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

#include <rondo/base/interrupt.hpp>
#include <rondo/base/log.hpp>
#include <rondo/base/thread.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto interval = 500ms;
constexpr auto interval_of_counting = 20ms;  // keeps the overshoot of a request limit small
constexpr auto stack_limit = 200ms;

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

std::uint64_t resident_bytes() {
    unsigned long total = 0;
    unsigned long resident = 0;
    if (std::sscanf(first_line("/proc/self/statm").c_str(), "%lu %lu", &total, &resident) != 2) return 0;
    return static_cast<std::uint64_t>(resident) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string stacks_of_all_threads() {
    std::string text;
    DIR* tasks = opendir("/proc/self/task");
    if (!tasks) return text;
    while (const dirent* entry = readdir(tasks)) {
        auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        if (thread <= 0 || thread == gettid()) continue;
        std::string name = first_line(fmt::format("/proc/self/task/{}/comm", thread));
        auto stack = stack_of_thread(thread, stack_limit);
        text += fmt::format("{}thread {} ({}):\n{}", text.empty() ? "" : "\n", thread, name,
                            stack ? stack->text() : std::string("cannot be interrupted"));
    }
    closedir(tasks);
    return text;
}

void tell_stacks_if_wanted(process::child& self) noexcept {
    if (!self.stacks_wanted()) return;
    try {
        log::error("killed by the arbiter; thread stacks:\n" + stacks_of_all_threads());
        log::flush();
    } catch (...) {
        // Out of memory: nothing can be logged.
    }
    self.stacks_told();
}

struct heartbeat::state {
    state(process::child& c, event_loop& l, const lifetime& max, std::function<std::uint64_t()> count)
        : self(c), loop(l), limits(max), requests(std::move(count)), began(clock::now()) {
        stack_trace::prepare();
        thread = named_thread("rondo-heart", [this] { serve(); });
    }
    ~state() {
        {
            std::lock_guard lock(mutex);
            ending = true;
        }
        wake.notify_all();
        thread.join();
    }

    void serve() noexcept {
        auto pause = limits.requests ? std::chrono::milliseconds(interval_of_counting) : interval;
        std::unique_lock lock(mutex);
        do {
            self.beat(loop.counters().turn_began_ns.load(std::memory_order_relaxed));
            tell_stacks_if_wanted(self);
            if (!asked) ask_when_due();
        } while (!wake.wait_for(lock, pause, [this] { return ending; }));
    }

    void ask_when_due() noexcept {
        process::wish reason = process::wish::none;
        if (limits.requests && requests() >= limits.requests) reason = process::wish::requests;
        else if (limits.resident_bytes && resident_bytes() > limits.resident_bytes) reason = process::wish::memory;
        else if (limits.age > 0ms && clock::now() - began > limits.age) reason = process::wish::age;
        if (reason == process::wish::none) return;
        asked = true;
        self.ask_for_replacement(reason);
    }

    process::child& self;
    event_loop& loop;
    lifetime limits;
    std::function<std::uint64_t()> requests;
    instant began;
    bool asked = false;
    std::mutex mutex;
    std::condition_variable wake;
    bool ending = false;
    named_thread thread;
};

heartbeat::heartbeat(process::child& self, event_loop& loop, const lifetime& limits,
                     std::function<std::uint64_t()> requests)
    : state_(std::make_unique<state>(self, loop, limits, std::move(requests))) {}
heartbeat::~heartbeat() = default;

}  // namespace rondo::cli
