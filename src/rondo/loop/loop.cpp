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
constexpr std::size_t max_resumes_per_turn = 1024;

// A posted function: created on any thread, destroyed on the loop's thread.
class posted_function final : public posted_task {
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
    : turn_watcher(ready_queue::current().activity()),
      backend_(make_backend(options.backend)),
      ready_(ready_queue::current()),
      activity_(ready_.activity()),
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
        while (!end_hooks_.empty()) end_hooks_.pop_front().on_loop_end();
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

event_loop::detach_scope::detach_scope() noexcept
    : loop_(std::exchange(current_loop, nullptr)), nested_queue_(ready_queue::current()) {}

event_loop::detach_scope::~detach_scope() { current_loop = loop_; }

void event_loop::run() {
    turn_until(stopping_, std::noop_coroutine(), nullptr);
    stopping_.store(false, std::memory_order_relaxed);
}
void event_loop::turn_until(const std::atomic<bool>& done, std::coroutine_handle<> start, const task_context* in) {
    require_blocking_allowed("event_loop::run");
    ready_queue::runner runner(ready_);
    scoped_disallow_blocking no_blocking;
    on_wait_end();
    activity_.enter(in);
    detail::start_task(start);
    activity_.enter(nullptr);
    while (!done.load(std::memory_order_relaxed)) turn(done);
    counters_.turn_start_ns.store(0, std::memory_order_relaxed);
}

void event_loop::stop() noexcept {
    const caller counted(callers_);
    stopping_.store(true, std::memory_order_relaxed);
    backend_->wake();
}

void event_loop::post(posted_task& work) noexcept {
    const caller counted(callers_);
    posted_task* head = inbox_.load(std::memory_order_relaxed);
    do {
        work.next_ = head;
    } while (!inbox_.compare_exchange_weak(head, &work, std::memory_order_seq_cst, std::memory_order_relaxed));
    // Only the first work posted since the loop started to wait needs to wake it.
    if (waiting_.load(std::memory_order_seq_cst) && waiting_.exchange(false, std::memory_order_seq_cst))
        backend_->wake();
}

void event_loop::post(std::move_only_function<void()> work) { post(*new posted_function(std::move(work))); }

void event_loop::defer(posted_task& work) noexcept {
    work.next_ = deferred_;
    deferred_ = &work;
}

void event_loop::run_posted() noexcept {
    if (!inbox_.load(std::memory_order_relaxed)) return;
    posted_task* newest = inbox_.exchange(nullptr, std::memory_order_acquire);
    posted_task* first = nullptr;
    while (newest) {
        posted_task* next = newest->next_;
        newest->next_ = first;
        first = newest;
        newest = next;
    }
    while (first) {
        posted_task* next = first->next_;
        first->run_on_loop();
        first = next;
    }
}

void event_loop::run_deferred() noexcept {
    fence_.clear_coroutine();
    while (fenced_ || deferred_) {
        posted_task*& first = fenced_ ? fenced_ : deferred_;
        posted_task* work = std::exchange(first, first->next_);
        work->run_on_loop();
    }
}

// More coroutines may be ready than one turn resumes: the objects that they use are destroyed after them.
void event_loop::run_fenced() noexcept {
    if (ready_.empty()) return run_deferred();
    if (fenced_ && !fence_.is_linked()) {
        while (fenced_) std::exchange(fenced_, fenced_->next_)->run_on_loop();
    }
    if (fenced_ || !deferred_) return;
    fenced_ = std::exchange(deferred_, nullptr);
    fence_.set_coroutine(std::noop_coroutine(), nullptr);
    fence_.wake();
}

void event_loop::run_pending() noexcept {
    timers_.advance(now_);
    run_posted();
    ready_.run(max_resumes_per_turn);
    if (deferred_ || fenced_) run_fenced();
    wait_hooks_.for_each([](wait_hook& h) { h.before_wait(); });
}

std::chrono::nanoseconds event_loop::wait_timeout() noexcept {
    if (!ready_.empty() || deferred_ || fenced_) return std::chrono::nanoseconds(0);
    instant next = timers_.next();
    if (next == instant::max()) return std::chrono::nanoseconds(-1);
    return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(next - now_));
}

void event_loop::count_turn() noexcept {
    // Only one thread writes: no read-modify-write operation is needed.
    auto set = [](auto& counter, auto n) { counter.store(n, std::memory_order_relaxed); };
    auto elapsed = now_.time_since_epoch().count() - counters_.turn_start_ns.load(std::memory_order_relaxed);
    set(counters_.busy_ns, counters_.busy_ns.load(std::memory_order_relaxed) + elapsed);
    set(counters_.turns, counters_.turns.load(std::memory_order_relaxed) + 1);
    if (elapsed > counters_.longest_turn_ns.load(std::memory_order_relaxed)) set(counters_.longest_turn_ns, elapsed);
    set(counters_.turn_start_ns, 0);
}

// Runs the part of a turn before the wait and returns how long the loop may wait.
std::chrono::nanoseconds event_loop::prepare_wait() noexcept {
    run_pending();
    activity_.enter(nullptr);
    now_ = clock::now();
    auto limit = wait_timeout();
    count_turn();
    waiting_.store(true, std::memory_order_seq_cst);
    return inbox_.load(std::memory_order_seq_cst) ? std::chrono::nanoseconds(0) : limit;
}

void event_loop::wait(std::chrono::nanoseconds limit) {
    if (block_hook_ && limit.count() != 0 && !backend_->has_events()) limit = block_hook_->before_block(limit);
    backend_->turn(limit, *this);
}

void event_loop::turn(const std::atomic<bool>& done) {
    auto limit = prepare_wait();
    // Also before the last return: operations that were queued in the backend are submitted to the kernel.
    wait(done.load(std::memory_order_relaxed) ? std::chrono::nanoseconds(0) : limit);
}

event_loop::embedding::embedding(event_loop& loop)
    : loop_((require_blocking_allowed("event_loop::embedding"), loop)), runner_(loop.ready_) {
    loop_.on_wait_end();
}

event_loop::embedding::~embedding() { set_idle(); }

void event_loop::embedding::turn(std::chrono::nanoseconds wait) {
    // Timers may have become due since the last turn.
    loop_.now_ = clock::now();
    std::atomic<std::int64_t>& start = loop_.counters_.turn_start_ns;
    if (start.load(std::memory_order_relaxed) == 0)  // after set_idle()
        start.store(loop_.now_.time_since_epoch().count(), std::memory_order_relaxed);
    auto limit = loop_.prepare_wait();
    if (wait.count() >= 0 && (limit.count() < 0 || limit > wait)) limit = wait;
    loop_.wait(limit);
    // What the other loop runs now does not belong to the context of the last event.
    loop_.activity_.enter(nullptr);
}

void event_loop::embedding::flush() noexcept {
    loop_.wait_hooks_.for_each([](wait_hook& h) { h.before_wait(); });
}

void event_loop::embedding::set_idle() noexcept { loop_.counters_.turn_start_ns.store(0, std::memory_order_relaxed); }

std::chrono::nanoseconds event_loop::embedding::timeout() noexcept {
    loop_.now_ = clock::now();
    return loop_.backend_->has_events() ? std::chrono::nanoseconds(0) : loop_.wait_timeout();
}

void event_loop::abandon_after_fork() noexcept {
    backend_->abandon_after_fork();
    if (current_loop == this) current_loop = nullptr;
}

void event_loop::on_wait_end() noexcept {
    waiting_.store(false, std::memory_order_relaxed);
    now_ = clock::now();
    counters_.turn_start_ns.store(now_.time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace rondo
