// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/stall_detector.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <rondo/base/interrupt.hpp>
#include <rondo/base/log.hpp>
#include <rondo/base/stack_trace.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

namespace {

using milliseconds = std::chrono::milliseconds;

constexpr milliseconds capture_limit{500};
constexpr milliseconds close_look{2};  // interval of the checks whether a detected stall has ended

// Filled in by a signal handler on the loop's thread.
struct snapshot {
    const activity& doing;
    std::uint64_t changes;  // of the stalled work; if it differs, other work runs
    stack_trace stack;
    std::array<char, 200> name{};
    std::size_t name_size = 0;

    static void take(void* data, std::uintptr_t address) noexcept {
        auto& s = *static_cast<snapshot*>(data);
        if (s.doing.changes() != s.changes) return;
        if (const context* in = s.doing.running()) {
            std::string_view name = in->activity.substr(0, s.name.size());
            s.name_size =
                static_cast<std::size_t>(std::copy(name.begin(), name.end(), s.name.begin()) - s.name.begin());
        }
        s.stack.capture(address);
    }
};

std::chrono::nanoseconds thread_cpu_time(clockid_t cpu_clock) noexcept {
    timespec t{};
    clock_gettime(cpu_clock, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

milliseconds rounded(std::chrono::nanoseconds d) { return std::chrono::round<milliseconds>(d); }

}  // namespace

std::string stall_report::text() const {
    std::string by = activity.empty() ? "by code outside of requests" : "by " + activity;
    std::string text = over ? fmt::format("event loop resumed after it was blocked for {} ms {}", held.count(), by)
                            : fmt::format("event loop blocked {}, for {} ms so far", by, held.count());
    text += fmt::format(", {} ms of it CPU time", std::min(computing, held).count());
    if (not_shown) text += fmt::format(" ({} more stalls not reported)", not_shown);
    if (!over) text += stack.empty() ? "; stack not available" : "; stack:\n" + stack;
    return text;
}

struct stall_detector::state {
    // The loop's progress; equal values mean that it has not made any.
    struct position {
        std::int64_t turn_began = 0;
        std::uint64_t changes = 0;
        bool operator==(const position&) const = default;
        [[nodiscard]] bool waiting() const noexcept { return turn_began == 0; }
    };

    state(event_loop& l, stall_options o, function f)
        : loop(l),
          options(o),
          report(std::move(f)),
          interval(std::max<std::chrono::nanoseconds>(o.threshold, milliseconds(1)) / 2),
          loop_thread(gettid()) {
        pthread_getcpuclockid(pthread_self(), &loop_clock);
        stack_trace::prepare();
        thread = named_thread("rondo-stalls", [this] { serve(); });
    }
    ~state() {
        {
            std::lock_guard lock(mutex);
            ending = true;
        }
        wake.notify_all();
        thread.join();
        if (naming.joinable()) naming.join();
    }

    [[nodiscard]] position look() const noexcept {
        auto& turn = loop.counters().turn_began_ns;
        return {turn.load(std::memory_order_relaxed), loop.doing().changes()};
    }
    [[nodiscard]] bool pause(std::chrono::nanoseconds d) {
        std::unique_lock lock(mutex);
        return !wake.wait_for(lock, d, [this] { return ending; });
    }

    void serve() noexcept;
    void watch();
    void stalled();
    [[nodiscard]] bool may_report(instant now);
    [[nodiscard]] std::future<std::string> describe(stall_report& r);
    void tell(const stall_report& r);
    void measure(stall_report& r) const noexcept;

    event_loop& loop;
    stall_options options;
    function report;
    std::chrono::nanoseconds interval;
    pid_t loop_thread;
    clockid_t loop_clock{};

    position seen;                         // at the last sample
    instant first_seen;                    // when it was first sampled
    instant began;                         // when the current work may have started
    std::chrono::nanoseconds computed{0};  // CPU time of the loop thread at that time
    bool counted = false;                  // the current stall was already counted
    std::deque<instant> reports;           // times of the reports of the last minute
    std::uint64_t not_shown = 0;

    std::mutex mutex;
    std::condition_variable wake;
    bool ending = false;
    named_thread naming;  // resolves the function names of a stack
    named_thread thread;
};

void stall_detector::state::serve() noexcept {
    try {
        watch();
    } catch (const std::exception& e) {
        log::error(std::string("stall detector stopped: ") + e.what());
    }
}

void stall_detector::state::watch() {
    instant last = clock::now();
    std::chrono::nanoseconds last_computed{0};
    while (pause(interval)) {
        instant now = clock::now();
        auto now_computed = thread_cpu_time(loop_clock);
        position current = look();
        if (current.waiting() || current != seen) {
            seen = current;
            first_seen = now;
            began = std::max(last, instant(clock::duration(current.turn_began)));
            computed = last_computed;
            counted = false;
        } else if (!counted && now - first_seen >= options.threshold) {
            counted = true;
            stalled();
        }
        last = now;
        last_computed = now_computed;
    }
}

void stall_detector::state::stalled() {
    loop.counters().stalls.fetch_add(1, std::memory_order_relaxed);
    if (!may_report(clock::now())) {
        ++not_shown;
        return;
    }
    stall_report first;
    first.not_shown = std::exchange(not_shown, 0);
    measure(first);
    std::future<std::string> stack = describe(first);
    stall_report last;
    last.activity = first.activity;
    auto report_first = [&] {
        first.stack = stack.get();
        tell(first);
    };
    while (!last.over && pause(close_look)) {
        last.over = look() != seen;
        if (last.over) measure(last);
        else if (stack.valid() && stack.wait_for(milliseconds(0)) == std::future_status::ready) report_first();
    }
    if (stack.valid()) report_first();
    if (last.over) tell(last);
}

// Names are resolved on a separate thread: with large debug information that takes longer than most stalls.
std::future<std::string> stall_detector::state::describe(stall_report& r) {
    snapshot s{.doing = loop.doing(), .changes = seen.changes, .stack = {}};
    if (interrupt_thread(loop_thread, snapshot::take, &s, capture_limit)) r.activity.assign(s.name.data(), s.name_size);
    if (naming.joinable()) naming.join();
    std::promise<std::string> promise;
    std::future<std::string> text = promise.get_future();
    naming = named_thread("rondo-stacks", [stack = s.stack, promise = std::move(promise)]() mutable {
        try {
            promise.set_value(stack.text("rondo::event_loop::"));
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    });
    return text;
}

void stall_detector::state::measure(stall_report& r) const noexcept {
    r.held = rounded(clock::now() - began);
    r.computing = rounded(thread_cpu_time(loop_clock) - computed);
}

bool stall_detector::state::may_report(instant now) {
    while (!reports.empty() && now - reports.front() >= std::chrono::minutes(1)) reports.pop_front();
    if (reports.size() >= static_cast<std::size_t>(std::max(options.most_reports_per_minute, 0))) return false;
    reports.push_back(now);
    return true;
}

void stall_detector::state::tell(const stall_report& r) {
    if (report) report(r);
    else log::warning(r.text());
}

stall_detector::stall_detector(event_loop& loop, stall_options options, function report)
    : state_(std::make_unique<state>(loop, options, std::move(report))) {}

stall_detector::~stall_detector() = default;

}  // namespace rondo
