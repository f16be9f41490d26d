// SPDX-License-Identifier: Apache-2.0
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

/// Proof that the caller is called by a loop's turn itself, with no operation of a shared object below it on the stack.
/// Only backends can make one; it is handed down by reference and never kept.
class loop_turn {
    friend class epoll_backend;
    friend class io_uring_backend;
    loop_turn() = default;

public:
    loop_turn(const loop_turn&) = delete;
    loop_turn& operator=(const loop_turn&) = delete;
};

/// A suspended coroutine in the hands of what it waits for. Nothing can resume it from within an operation: wake() lets
/// it go on from the ready queue. Leaves the queue when destroyed, so a coroutine may be destroyed while it is ready.
/// Lives in the coroutine's frame. Belongs to one thread.
class ready_node : public list_node {
public:
    /// Notes which coroutine waits, and the context it goes on in.
    void hold(std::coroutine_handle<> who, context* in) noexcept {
        coroutine_ = who;
        running_in = in;
    }
    /// Forgets the coroutine, also when it is in the queue already.
    void release() noexcept {
        unlink();
        coroutine_ = {};
    }
    /// True until the coroutine is resumed.
    [[nodiscard]] bool holds() const noexcept { return static_cast<bool>(coroutine_); }

    /// The coroutine goes on soon. Once per hold().
    void wake() noexcept;
    /// The coroutine goes on now: for input in memory of the loop that holds only during a call of the turn.
    void resume_within(const loop_turn&) noexcept { std::exchange(coroutine_, {}).resume(); }

    context* running_in = nullptr;

private:
    friend class ready_queue;
    std::coroutine_handle<> coroutine_;
};

/// What a thread is doing: in which context code runs, and how often that changed. Written by the thread itself; a
/// stall detector on another thread watches the count, and reads the context only from a signal handler on this thread.
/// Counts how long a context holds the thread where that asks for it (context::held).
class activity {
public:
    void enter(const context* in) noexcept {
        if (held_ != nullptr) settle();
        running_.store(in, std::memory_order_relaxed);
        changes_.store(changes_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (in != nullptr && in->held != nullptr) {
            held_ = in->held;
            watch_.start();
        }
    }
    /// Counts what the running context held the thread so far, and no more until it is entered again.
    void settle() noexcept {
        if (time_held* to = std::exchange(held_, nullptr)) watch_.stop().add_to(*to);
    }
    [[nodiscard]] const context* running() const noexcept { return running_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t changes() const noexcept { return changes_.load(std::memory_order_relaxed); }

private:
    std::atomic<const context*> running_{nullptr};
    std::atomic<std::uint64_t> changes_{0};
    time_held* held_ = nullptr;
    stopwatch watch_;
};

/// The coroutines of this thread that can go on, first come first served. Every wake-up goes through it: no coroutine
/// runs within an operation of the object it waited for, where it could change or destroy what that operation goes on
/// to use; and a long chain of resumptions (thousands of waiters of one mutex) never nests on the stack.
class ready_queue {
public:
    /// The calling thread's.
    [[nodiscard]] static ready_queue& current() noexcept;

    /// Queues; runs the queue at once unless somebody up the stack (a loop's turn, sync_wait) is running it.
    void push(ready_node& node) noexcept;

    /// Runs until empty, or until `most` were resumed: a loop goes on with the rest after it looked at its input and
    /// output. Does nothing when called from within itself.
    void run(std::size_t most = SIZE_MAX) noexcept;

    /// Resumes `first`, then runs until empty, also from within run(): for who blocks the thread until that is done.
    void run_with(std::coroutine_handle<> first) noexcept;

    [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
    [[nodiscard]] activity& doing() noexcept { return doing_; }

    /// While one lives, push() only queues: its owner promises to call run().
    class runner {
    public:
        explicit runner(ready_queue& queue) noexcept : queue_(queue) { ++queue_.runners_; }
        ~runner() { --queue_.runners_; }
        runner(const runner&) = delete;
        runner& operator=(const runner&) = delete;

    private:
        ready_queue& queue_;
    };

    /// While one lives, push() only queues; its end runs the queue unless somebody up the stack is to do that. For code
    /// that makes several coroutines ready: none of them runs, and perhaps destroys something, before that code is
    /// done.
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

    /// Puts aside what the queue holds and what it is doing, as long as it lives: code in between has an empty queue of
    /// its own, which it leaves empty.
    class aside {
    public:
        explicit aside(ready_queue& queue) noexcept;
        ~aside();
        aside(const aside&) = delete;
        aside& operator=(const aside&) = delete;

    private:
        ready_queue& queue_;
        intrusive_list<ready_node> nodes_;
        int runners_;
        bool running_;
    };

private:
    intrusive_list<ready_node> nodes_;
    activity doing_;
    int runners_ = 0;
    bool running_ = false;
};

inline void ready_node::wake() noexcept { ready_queue::current().push(*this); }

namespace detail {

/// Runs a task that has not begun up to its first suspension: the one way to begin a task that nobody awaits. It runs
/// foreign code, so what the caller goes on to use must be looked at again.
inline void start_task(std::coroutine_handle<> unbegun) { unbegun.resume(); }

}  // namespace detail

}  // namespace rondo
