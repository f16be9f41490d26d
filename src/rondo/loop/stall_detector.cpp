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

#include <rondo/base/interrupt_thread.hpp>
#include <rondo/base/log.hpp>
#include <rondo/base/stack_trace.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

namespace {

using milliseconds = std::chrono::milliseconds;

constexpr milliseconds capture_limit{500};
constexpr milliseconds end_check_interval{2};  // interval of the checks whether a detected stall has ended

// Filled in by a signal handler on the loop's thread.
struct snapshot {
    const thread_activity& activity;
    std::uint64_t switch_count;  // of the stalled work; if it differs, other work runs
    stack_trace stack;
    std::array<char, 200> name{};
    std::size_t name_size = 0;

    static void capture(void* data, std::uintptr_t address) noexcept {
        auto& s = *static_cast<snapshot*>(data);
        if (s.activity.switch_count() != s.switch_count) return;
        if (const task_context* in = s.activity.current_context()) {
            std::string_view name = in->name.substr(0, s.name.size());
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
    std::string by = context_name.empty() ? "by code outside of requests" : "by " + context_name;
    std::string text = ended ? fmt::format("event loop resumed after it was blocked for {} ms {}", duration.count(), by)
                             : fmt::format("event loop blocked {}, for {} ms so far", by, duration.count());
    text += fmt::format(", {} ms of it CPU time", std::min(cpu_time, duration).count());
    if (not_reported) text += fmt::format(" ({} more stalls not reported)", not_reported);
    if (!ended) text += stack.empty() ? "; stack not available" : "; stack:\n" + stack;
    return text;
}

struct stall_detector::state {
    // The loop's progress; equal values mean that it has not made any.
    struct position {
        std::int64_t turn_start = 0;
        std::uint64_t switch_count = 0;
        bool operator==(const position&) const = default;
        [[nodiscard]] bool is_waiting() const noexcept { return turn_start == 0; }
    };

    state(event_loop& l, stall_options o, function f)
        : loop(l),
          options(o),
          report(std::move(f)),
          interval(std::max<std::chrono::nanoseconds>(o.threshold, milliseconds(1)) / 2),
          loop_thread(gettid()) {
        pthread_getcpuclockid(pthread_self(), &loop_clock);
        stack_trace::prepare();
        thread = named_thread("rondo-stalls", [this] { run(); });
    }
    ~state() {
        {
            std::lock_guard lock(mutex);
            stopping = true;
        }
        wake.notify_all();
        thread.join();
        if (symbolizer.joinable()) symbolizer.join();
    }

    [[nodiscard]] position sample() const noexcept {
        auto& turn = loop.counters().turn_start_ns;
        return {turn.load(std::memory_order_relaxed), loop.activity().switch_count()};
    }
    [[nodiscard]] bool wait_unless_stopping(std::chrono::nanoseconds d) {
        std::unique_lock lock(mutex);
        return !wake.wait_for(lock, d, [this] { return stopping; });
    }

    void run() noexcept;
    void watch();
    void on_stall();
    [[nodiscard]] bool may_report(instant now);
    [[nodiscard]] std::future<std::string> capture_stack(stall_report& r);
    void deliver(const stall_report& r);
    void measure(stall_report& r) const noexcept;

    event_loop& loop;
    stall_options options;
    function report;
    std::chrono::nanoseconds interval;
    pid_t loop_thread;
    clockid_t loop_clock{};

    position last_position;                         // at the last sample
    instant position_since;                         // when it was first sampled
    instant stall_start;                            // when the current work may have started
    std::chrono::nanoseconds cpu_time_at_start{0};  // CPU time of the loop thread at that time
    bool is_counted = false;                        // the current stall was already counted
    std::deque<instant> reports;                    // times of the reports of the last minute
    std::uint64_t not_reported = 0;

    std::mutex mutex;
    std::condition_variable wake;
    bool stopping = false;
    named_thread symbolizer;  // resolves the function names of a stack
    named_thread thread;
};

void stall_detector::state::run() noexcept {
    try {
        watch();
    } catch (const std::exception& e) {
        log::error(std::string("stall detector stopped: ") + e.what());
    }
}

void stall_detector::state::watch() {
    instant last = clock::now();
    std::chrono::nanoseconds last_cpu_time{0};
    while (wait_unless_stopping(interval)) {
        instant now = clock::now();
        auto now_cpu_time = thread_cpu_time(loop_clock);
        position current = sample();
        if (current.is_waiting() || current != last_position) {
            last_position = current;
            position_since = now;
            stall_start = std::max(last, instant(clock::duration(current.turn_start)));
            cpu_time_at_start = last_cpu_time;
            is_counted = false;
        } else if (!is_counted && now - position_since >= options.threshold) {
            is_counted = true;
            on_stall();
        }
        last = now;
        last_cpu_time = now_cpu_time;
    }
}

void stall_detector::state::on_stall() {
    loop.counters().stalls.fetch_add(1, std::memory_order_relaxed);
    if (!may_report(clock::now())) {
        ++not_reported;
        return;
    }
    stall_report first;
    first.not_reported = std::exchange(not_reported, 0);
    measure(first);
    std::future<std::string> stack = capture_stack(first);
    stall_report last;
    last.context_name = first.context_name;
    auto report_first = [&] {
        first.stack = stack.get();
        deliver(first);
    };
    while (!last.ended && wait_unless_stopping(end_check_interval)) {
        last.ended = sample() != last_position;
        if (last.ended) measure(last);
        else if (stack.valid() && stack.wait_for(milliseconds(0)) == std::future_status::ready) report_first();
    }
    if (stack.valid()) report_first();
    if (last.ended) deliver(last);
}

// Names are resolved on a separate thread: with large debug information that takes longer than most stalls.
std::future<std::string> stall_detector::state::capture_stack(stall_report& r) {
    snapshot s{.activity = loop.activity(), .switch_count = last_position.switch_count, .stack = {}};
    if (interrupt_thread(loop_thread, snapshot::capture, &s, capture_limit))
        r.context_name.assign(s.name.data(), s.name_size);
    if (symbolizer.joinable()) symbolizer.join();
    std::promise<std::string> promise;
    std::future<std::string> text = promise.get_future();
    symbolizer = named_thread("rondo-stacks", [stack = s.stack, promise = std::move(promise)]() mutable {
        try {
            promise.set_value(stack.text("rondo::event_loop::"));
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    });
    return text;
}

void stall_detector::state::measure(stall_report& r) const noexcept {
    r.duration = rounded(clock::now() - stall_start);
    r.cpu_time = rounded(thread_cpu_time(loop_clock) - cpu_time_at_start);
}

bool stall_detector::state::may_report(instant now) {
    while (!reports.empty() && now - reports.front() >= std::chrono::minutes(1)) reports.pop_front();
    if (reports.size() >= static_cast<std::size_t>(std::max(options.max_reports_per_minute, 0))) return false;
    reports.push_back(now);
    return true;
}

void stall_detector::state::deliver(const stall_report& r) {
    if (report) report(r);
    else log::warning(r.text());
}

stall_detector::stall_detector(event_loop& loop, stall_options options, function report)
    : state_(std::make_unique<state>(loop, options, std::move(report))) {}

stall_detector::~stall_detector() = default;

}  // namespace rondo
