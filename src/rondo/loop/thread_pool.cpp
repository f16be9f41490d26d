// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/thread_pool.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <rondo/base/thread.hpp>

namespace rondo {

struct thread_pool::state {
    explicit state(pool_options o) : options(std::move(o)) {}

    pool_options options;
    mutable std::mutex mutex;
    std::condition_variable work_available;
    job* first = nullptr;
    job* last = nullptr;
    std::size_t waiting = 0;
    std::size_t idle = 0;
    std::size_t running = 0;
    bool wakeup_pending = false;  // a thread was notified and has not checked the queue yet
    bool stopping = false;
    std::chrono::nanoseconds average_duration{0};  // moving average of the duration of a job
    instant last_start{};                          // when the last job was started
    std::vector<named_thread> threads;

    void push(job& j) noexcept {
        j.next_ = nullptr;
        (last ? last->next_ : first) = &j;
        last = &j;
        ++waiting;
    }
    job* pop() noexcept {
        job* j = first;
        first = j->next_;
        if (!first) last = nullptr;
        --waiting;
        return j;
    }
    bool remove(job& j) noexcept {
        job* before = nullptr;
        for (job* current = first; current; before = current, current = current->next_) {
            if (current != &j) continue;
            (before ? before->next_ : first) = j.next_;
            if (last == &j) last = before;
            --waiting;
            return true;
        }
        return false;
    }
    // Jobs that no free thread will run at once. Threads that are starting or waking up count as free.
    [[nodiscard]] std::size_t excess_jobs() const noexcept {
        std::size_t free = options.threads - running;
        return waiting > free ? waiting - free : 0;
    }
    [[nodiscard]] std::chrono::nanoseconds expected_wait() const noexcept {
        if (running + waiting < options.threads) return std::chrono::nanoseconds(0);
        return average_duration * static_cast<std::int64_t>(excess_jobs() + 1) /
               static_cast<std::int64_t>(options.threads);
    }
    // A woken thread wakes the next one while there is work: a burst of short jobs is run by few threads and costs
    // submit() one wake-up.
    [[nodiscard]] bool claim_wakeup() noexcept { return first && idle > 0 && !std::exchange(wakeup_pending, true); }
    void start_thread();
    void wait_for_work(std::unique_lock<std::mutex>& lock) noexcept;
    void run_jobs() noexcept;
    void apply_nice() const noexcept;
};

void thread_pool::state::apply_nice() const noexcept {
    // On Linux the nice value is per thread; a new thread inherits that of its creator.
    if (options.nice > 0) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + options.nice);
}

void thread_pool::state::wait_for_work(std::unique_lock<std::mutex>& lock) noexcept {
    ++idle;
    while (!first && !stopping) {
        work_available.wait(lock);
        wakeup_pending = false;
    }
    --idle;
}

void thread_pool::state::run_jobs() noexcept {
    apply_nice();
    std::unique_lock lock(mutex);
    for (;;) {
        if (!first && !stopping) wait_for_work(lock);
        if (!first) return;
        job* j = pop();
        ++running;
        bool wake = claim_wakeup();
        const instant start = last_start = clock::now();
        lock.unlock();
        if (wake) work_available.notify_one();
        j->run_on_thread();
        auto duration = clock::now() - start;
        lock.lock();
        --running;
        average_duration =
            average_duration.count() ? (average_duration * 7 + duration) / 8 : std::chrono::nanoseconds(duration);
    }
}

void thread_pool::state::start_thread() {
    try {
        threads.emplace_back(options.name, [this] { run_jobs(); });
    } catch (const std::system_error&) {
        if (threads.empty()) throw;  // otherwise continue with fewer threads
    }
}

thread_pool::thread_pool(pool_options options) : state_(std::make_unique<state>(std::move(options))) {
    state_->options.threads = std::max<std::size_t>(state_->options.threads, 1);
}

thread_pool::~thread_pool() {
    {
        std::lock_guard lock(state_->mutex);
        state_->stopping = true;
        state_->first = state_->last = nullptr;
    }
    state_->work_available.notify_all();
    for (named_thread& t : state_->threads) t.join();
}

void thread_pool::submit(job& j, instant deadline) {
    state& s = *state_;
    std::unique_lock lock(s.mutex);
    auto wait = s.expected_wait();
    auto retry = std::max(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1));
    if (s.running + s.waiting >= s.options.threads + s.options.queue)
        throw pool_full("all " + s.options.name + " threads are busy and the queue is full", retry);
    if (s.options.refuse_past_deadline && wait.count() && deadline != instant::max() && clock::now() + wait > deadline)
        throw pool_full("the wait for a " + s.options.name + " thread would exceed the request's deadline", retry);
    if (s.idle <= s.waiting && s.threads.size() < s.options.threads) s.start_thread();
    s.push(j);
    bool wake = s.claim_wakeup();
    lock.unlock();
    if (wake) s.work_available.notify_one();
}

bool thread_pool::remove(job& j) noexcept {
    std::lock_guard lock(state_->mutex);
    return state_->remove(j);
}

std::size_t thread_pool::waiting() const noexcept {
    std::lock_guard lock(state_->mutex);
    return state_->waiting;
}

std::size_t thread_pool::running() const noexcept {
    std::lock_guard lock(state_->mutex);
    return state_->running;
}

std::chrono::nanoseconds thread_pool::busy_for(instant now) const noexcept {
    std::lock_guard lock(state_->mutex);
    if (state_->running < state_->options.threads) return std::chrono::nanoseconds(0);
    return std::max<std::chrono::nanoseconds>(now - state_->last_start, std::chrono::nanoseconds(0));
}

std::size_t thread_pool::threads() const noexcept {
    std::lock_guard lock(state_->mutex);
    return state_->threads.size();
}

const pool_options& thread_pool::options() const noexcept { return state_->options; }

}  // namespace rondo
