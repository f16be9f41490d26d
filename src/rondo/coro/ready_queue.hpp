// SPDX-License-Identifier: Apache-2.0
// The queue of coroutines that are ready to resume, one per thread.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo {

class epoll_backend;
class io_uring_backend;
class ready_queue;

/// Proof that a loop's turn calls the caller directly, with no operation of a shared object on the stack in between.
/// Only backends can construct one; it is passed down by reference and never stored.
class loop_turn {
    friend class epoll_backend;
    friend class io_uring_backend;
    loop_turn() = default;

public:
    loop_turn(const loop_turn&) = delete;
    loop_turn& operator=(const loop_turn&) = delete;
};

/// A suspended coroutine, referenced by the object that it waits for. No operation can resume it directly: wake()
/// queues it in the ready queue. Destruction removes it from the queue, so a coroutine may be destroyed while it is
/// ready. Stored in the coroutine's frame. Belongs to one thread.
class ready_node : public list_node {
public:
    /// Sets the waiting coroutine and the context that it resumes in.
    void set_coroutine(std::coroutine_handle<> awaiting, task_context* in) noexcept {
        coroutine_ = awaiting;
        context = in;
    }
    /// Removes the coroutine, also from the ready queue.
    void clear_coroutine() noexcept {
        unlink();
        coroutine_ = {};
    }
    /// Returns true until the coroutine is resumed.
    [[nodiscard]] bool has_coroutine() const noexcept { return static_cast<bool>(coroutine_); }

    /// Resumes the coroutine soon. Once per set_coroutine().
    void wake() noexcept;
    /// Resumes the coroutine now: for input in memory of the loop that is only valid during this call.
    void resume_within(const loop_turn&) noexcept { std::exchange(coroutine_, {}).resume(); }

    task_context* context = nullptr;

private:
    friend class ready_queue;
    std::coroutine_handle<> coroutine_;
};

/// The context in which a thread currently runs code, and the number of context switches. Written by the thread itself;
/// a stall detector on another thread watches the count, and reads the context only in a signal handler on this thread.
/// Measures how long a context occupies the thread if the context has a place to add it to (task_context::thread_time).
class thread_activity {
public:
    void enter(const task_context* in) noexcept {
        if (thread_time_ != nullptr) flush();
        current_context_.store(in, std::memory_order_relaxed);
        switch_count_.store(switch_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (in != nullptr && in->thread_time != nullptr) {
            thread_time_ = in->thread_time;
            timer_.start();
        }
    }
    /// Adds the time since enter() to the current context's thread_time and stops measuring until the next enter().
    void flush() noexcept {
        if (thread_time_counters* total = std::exchange(thread_time_, nullptr)) timer_.stop().add_to(*total);
    }
    [[nodiscard]] const task_context* current_context() const noexcept {
        return current_context_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t switch_count() const noexcept { return switch_count_.load(std::memory_order_relaxed); }

private:
    std::atomic<const task_context*> current_context_{nullptr};
    std::atomic<std::uint64_t> switch_count_{0};
    thread_time_counters* thread_time_ = nullptr;
    cpu_timer timer_;
};

/// The coroutines of this thread that are ready to resume, first come, first served. Every wake-up goes through it: no
/// coroutine runs within an operation of the object it waited for, where it could change or destroy state that the
/// operation still uses, and a long chain of resumptions (thousands of waiters of one mutex) never nests on the stack.
class ready_queue {
public:
    /// The queue of the calling thread.
    [[nodiscard]] static ready_queue& current() noexcept;

    /// Queues the node; runs the queue at once unless a caller up the stack (a loop's turn, sync_wait) does that.
    void push(ready_node& node) noexcept;

    /// Resumes coroutines until the queue is empty or `max` were resumed: a loop resumes the rest after handling I/O.
    /// Does nothing when called from within itself.
    void run(std::size_t max = SIZE_MAX) noexcept;

    /// Resumes `first`, then runs the queue until it is empty, also within run(). For callers that block the thread.
    void run_with(std::coroutine_handle<> first) noexcept;

    [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
    [[nodiscard]] thread_activity& activity() noexcept { return activity_; }

    /// While one exists, push() only queues; its owner must call run().
    class runner {
    public:
        explicit runner(ready_queue& queue) noexcept : queue_(queue) { ++queue_.runners_; }
        ~runner() { --queue_.runners_; }
        runner(const runner&) = delete;
        runner& operator=(const runner&) = delete;

    private:
        ready_queue& queue_;
    };

    /// While one exists, push() only queues; its destructor runs the queue unless a caller up the stack does that. For
    /// code that wakes several coroutines: none of them runs, and possibly destroys something, before it is done.
    class batch {
    public:
        batch() noexcept : queue_(current()) { ++queue_.runners_; }
        ~batch() {
            if (--queue_.runners_ == 0) queue_.run();
        }
        batch(const batch&) = delete;
        batch& operator=(const batch&) = delete;

    private:
        ready_queue& queue_;
    };

    /// Saves the contents and state of the queue and restores them on destruction: code in between has an empty queue
    /// of its own, which the destructor runs until it is empty.
    class nested_queue {
    public:
        explicit nested_queue(ready_queue& queue) noexcept;
        ~nested_queue();
        nested_queue(const nested_queue&) = delete;
        nested_queue& operator=(const nested_queue&) = delete;

    private:
        ready_queue& queue_;
        intrusive_list<ready_node> nodes_;
        int runners_;
        bool running_;
    };

private:
    intrusive_list<ready_node> nodes_;
    thread_activity activity_;
    int runners_ = 0;
    bool running_ = false;
};

inline void ready_node::wake() noexcept { ready_queue::current().push(*this); }

namespace detail {

/// Runs a task that has not started up to its first suspension: the only way to start a task that is not awaited.
/// Runs arbitrary code: the caller must check again whatever it uses afterwards.
inline void start_task(std::coroutine_handle<> task) { task.resume(); }

}  // namespace detail

}  // namespace rondo
