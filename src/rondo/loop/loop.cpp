// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/loop.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>

namespace rondo {

namespace {

thread_local event_loop* current_loop = nullptr;

// Coroutines that keep waking each other must not starve the loop's I/O.
constexpr std::size_t resumed_per_turn = 1024;

// A posted function: created on any thread, destroyed on the loop's thread.
class posted_function final : public posted {
public:
    explicit posted_function(std::move_only_function<void()> f) : function_(std::move(f)) {}
    void run_on_loop() noexcept override {
        try {
            function_();
        } catch (const std::exception& e) {
            log::error(fmt::format("bug: a function posted to an event loop threw: {}", e.what()));
        } catch (...) {
            log::error("bug: a function posted to an event loop threw an unknown exception");
        }
        delete this;
    }

private:
    std::move_only_function<void()> function_;
};

// Counts a thread that may still access the loop after the loop has processed what the thread posted.
class caller {
public:
    explicit caller(std::atomic<int>& count) noexcept : count_(count) {
        count_.fetch_add(1, std::memory_order_relaxed);
    }
    ~caller() { count_.fetch_sub(1, std::memory_order_release); }
    caller(const caller&) = delete;
    caller& operator=(const caller&) = delete;

private:
    std::atomic<int>& count_;
};

}  // namespace

event_loop::event_loop(const loop_options& options)
    : turn_watcher(ready_queue::current().doing()),
      backend_(make_backend(options.backend)),
      ready_(ready_queue::current()),
      doing_(ready_.doing()),
      now_(clock::now()),
      timers_(now_) {
    if (current_loop) throw std::logic_error("this thread already has an event loop; there is one per thread");
    current_loop = this;
}

event_loop::~event_loop() {
    {
        const ready_queue::runner runner(ready_);
        run_posted();
        ready_.run();
        while (!end_hooks_.empty()) end_hooks_.pop_front().loop_ends();
        run_posted();
        ready_.run();
        run_deferred();
    }
    current_loop = nullptr;
    // Posted work may have destroyed this loop before its post() returned.
    while (callers_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
}

event_loop& event_loop::current() {
    if (!current_loop) {
        throw std::logic_error("this thread has no event loop: call this from an async view or a task on a loop");
    }
    return *current_loop;
}

event_loop* event_loop::current_or_null() noexcept { return current_loop; }

event_loop::stepping_aside::stepping_aside() noexcept
    : loop_(std::exchange(current_loop, nullptr)), ready_(ready_queue::current()) {}

event_loop::stepping_aside::~stepping_aside() { current_loop = loop_; }

void event_loop::run() {
    turn_until(stopping_, std::noop_coroutine(), nullptr);
    stopping_.store(false, std::memory_order_relaxed);
}
void event_loop::turn_until(const std::atomic<bool>& done, std::coroutine_handle<> start, const context* in) {
    require_blocking_allowed("event_loop::run");
    ready_queue::runner runner(ready_);
    loop_thread_mark mark;
    waited();
    doing_.enter(in);
    detail::start_task(start);
    doing_.enter(nullptr);
    while (!done.load(std::memory_order_relaxed)) turn(done);
    counters_.turn_began_ns.store(0, std::memory_order_relaxed);
}

void event_loop::stop() noexcept {
    const caller here(callers_);
    stopping_.store(true, std::memory_order_relaxed);
    backend_->wake();
}

void event_loop::post(posted& work) noexcept {
    const caller here(callers_);
    posted* head = inbox_.load(std::memory_order_relaxed);
    do {
        work.next_ = head;
    } while (!inbox_.compare_exchange_weak(head, &work, std::memory_order_seq_cst, std::memory_order_relaxed));
    // Only the first work posted since the loop started to wait needs to wake it.
    if (waiting_.load(std::memory_order_seq_cst) && waiting_.exchange(false, std::memory_order_seq_cst))
        backend_->wake();
}

void event_loop::post(std::move_only_function<void()> work) { post(*new posted_function(std::move(work))); }

void event_loop::defer(posted& work) noexcept {
    work.next_ = deferred_;
    deferred_ = &work;
}

void event_loop::run_posted() noexcept {
    if (!inbox_.load(std::memory_order_relaxed)) return;
    posted* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
    posted* first = nullptr;
    while (newest) {
        posted* next = newest->next_;
        newest->next_ = first;
        first = newest;
        newest = next;
    }
    while (first) {
        posted* next = first->next_;
        first->run_on_loop();
        first = next;
    }
}

void event_loop::run_deferred() noexcept {
    fence_.release();
    while (fenced_ || deferred_) {
        posted*& first = fenced_ ? fenced_ : deferred_;
        posted* work = std::exchange(first, first->next_);
        work->run_on_loop();
    }
}

// More coroutines may be ready than one turn resumes: the objects that they use are destroyed after them.
void event_loop::run_fenced() noexcept {
    if (ready_.empty()) return run_deferred();
    if (fenced_ && !fence_.linked()) {
        while (fenced_) std::exchange(fenced_, fenced_->next_)->run_on_loop();
    }
    if (fenced_ || !deferred_) return;
    fenced_ = std::exchange(deferred_, nullptr);
    fence_.hold(std::noop_coroutine(), nullptr);
    fence_.wake();
}

void event_loop::run_due() noexcept {
    timers_.advance(now_);
    run_posted();
    ready_.run(resumed_per_turn);
    if (deferred_ || fenced_) run_fenced();
    hooks_.for_each([](wait_hook& h) { h.before_wait(); });
}

std::chrono::nanoseconds event_loop::time_to_wait() noexcept {
    if (!ready_.empty() || deferred_ || fenced_) return std::chrono::nanoseconds(0);
    instant next = timers_.next();
    if (next == instant::max()) return std::chrono::nanoseconds(-1);
    return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(next - now_));
}

void event_loop::count_turn() noexcept {
    // Only one thread writes: no read-modify-write operation is needed.
    auto set = [](auto& counter, auto n) { counter.store(n, std::memory_order_relaxed); };
    auto took = now_.time_since_epoch().count() - counters_.turn_began_ns.load(std::memory_order_relaxed);
    set(counters_.busy_ns, counters_.busy_ns.load(std::memory_order_relaxed) + took);
    set(counters_.turns, counters_.turns.load(std::memory_order_relaxed) + 1);
    if (took > counters_.longest_turn_ns.load(std::memory_order_relaxed)) set(counters_.longest_turn_ns, took);
    set(counters_.turn_began_ns, 0);
}

void event_loop::turn(const std::atomic<bool>& done) {
    run_due();
    doing_.enter(nullptr);
    now_ = clock::now();
    auto wait = time_to_wait();
    count_turn();
    waiting_.store(true, std::memory_order_seq_cst);
    // Also before the last return: operations that were queued in the backend are submitted to the kernel.
    if (inbox_.load(std::memory_order_seq_cst) || done.load(std::memory_order_relaxed))
        wait = std::chrono::nanoseconds(0);
    backend_->turn(wait, *this);
}

void event_loop::waited() noexcept {
    waiting_.store(false, std::memory_order_relaxed);
    now_ = clock::now();
    counters_.turn_began_ns.store(now_.time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace rondo
