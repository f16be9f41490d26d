// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/pool.hpp>

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
    std::condition_variable work;
    job* first = nullptr;
    job* last = nullptr;
    std::size_t waiting = 0;
    std::size_t idle = 0;
    std::size_t running = 0;
    bool waking = false;  // a thread was notified and has not checked the queue yet
    bool ending = false;
    std::chrono::nanoseconds usual{0};  // moving average of the duration of a job
    instant taken{};                    // when the last job was started
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
    [[nodiscard]] std::size_t queued() const noexcept {
        std::size_t free = options.threads - running;
        return waiting > free ? waiting - free : 0;
    }
    [[nodiscard]] std::chrono::nanoseconds expected_wait() const noexcept {
        if (running + waiting < options.threads) return std::chrono::nanoseconds(0);
        return usual * static_cast<std::int64_t>(queued() + 1) / static_cast<std::int64_t>(options.threads);
    }
    // A woken thread wakes the next one while there is work: a burst of short jobs is run by few threads and costs
    // submit() one wake-up.
    [[nodiscard]] bool wakes_another() noexcept { return first && idle > 0 && !std::exchange(waking, true); }
    void start_thread();
    void wait_for_work(std::unique_lock<std::mutex>& lock) noexcept;
    void serve() noexcept;
    void be_nice() const noexcept;
};

void thread_pool::state::be_nice() const noexcept {
    // On Linux the nice value is per thread; a new thread inherits that of its creator.
    if (options.nice > 0) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + options.nice);
}

void thread_pool::state::wait_for_work(std::unique_lock<std::mutex>& lock) noexcept {
    ++idle;
    while (!first && !ending) {
        work.wait(lock);
        waking = false;
    }
    --idle;
}

void thread_pool::state::serve() noexcept {
    be_nice();
    std::unique_lock lock(mutex);
    for (;;) {
        if (!first && !ending) wait_for_work(lock);
        if (!first) return;
        job* j = pop();
        ++running;
        bool wake = wakes_another();
        const instant start = taken = clock::now();
        lock.unlock();
        if (wake) work.notify_one();
        j->run_on_thread();
        auto duration = clock::now() - start;
        lock.lock();
        --running;
        usual = usual.count() ? (usual * 7 + duration) / 8 : std::chrono::nanoseconds(duration);
    }
}

void thread_pool::state::start_thread() {
    try {
        threads.emplace_back(options.name, [this] { serve(); });
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
        state_->ending = true;
        state_->first = state_->last = nullptr;
    }
    state_->work.notify_all();
    for (named_thread& t : state_->threads) t.join();
}

void thread_pool::submit(job& j, instant deadline) {
    state& s = *state_;
    std::unique_lock lock(s.mutex);
    auto wait = s.expected_wait();
    auto retry = std::max(std::chrono::ceil<std::chrono::seconds>(wait), std::chrono::seconds(1));
    if (s.running + s.waiting >= s.options.threads + s.options.queue)
        throw pool_full("all " + s.options.name + " threads are busy and the queue is full", retry);
    if (s.options.refuses_late && wait.count() && deadline != instant::max() && clock::now() + wait > deadline)
        throw pool_full("the wait for a " + s.options.name + " thread would exceed the request's deadline", retry);
    if (s.idle <= s.waiting && s.threads.size() < s.options.threads) s.start_thread();
    s.push(j);
    bool wake = s.wakes_another();
    lock.unlock();
    if (wake) s.work.notify_one();
}

bool thread_pool::withdraw(job& j) noexcept {
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

std::chrono::nanoseconds thread_pool::held_for(instant now) const noexcept {
    std::lock_guard lock(state_->mutex);
    if (state_->running < state_->options.threads) return std::chrono::nanoseconds(0);
    return std::max<std::chrono::nanoseconds>(now - state_->taken, std::chrono::nanoseconds(0));
}

std::size_t thread_pool::threads() const noexcept {
    std::lock_guard lock(state_->mutex);
    return state_->threads.size();
}

const pool_options& thread_pool::options() const noexcept { return state_->options; }

}  // namespace rondo
