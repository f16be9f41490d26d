// SPDX-License-Identifier: Apache-2.0
// Rondo's event loop as the selector of asyncio's loop, or as a reader of uvloop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <rondo/coro/task.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/python/loop_gil.hpp>

namespace rondo::python {

class asgi_application;

/// Drives Rondo's loop from an asyncio loop of the same thread. select() runs turns, in which connections are served,
/// until asyncio has something to do. Created and destroyed with the GIL.
class loop_driver final : event_loop::block_hook, detail::completion_handler {
public:
    /// `lifecycle` starts with the first turn; when it has ended, the asyncio loop is stopped. Without an application
    /// and a lifecycle (null, an empty task) it is a selector only.
    loop_driver(event_loop& loop, loop_gil& gil, asgi_application* application, task<int> lifecycle);
    ~loop_driver();
    loop_driver(const loop_driver&) = delete;
    loop_driver& operator=(const loop_driver&) = delete;

    /// The object through which Python calls the functions below.
    [[nodiscard]] PyObject* python_object() const noexcept { return object_.get(); }
    /// The result of the lifecycle; rethrows its exception. Nothing when the asyncio loop ended before it.
    [[nodiscard]] std::optional<int> result();

    // Called from Python with the GIL. They throw error_set.

    /// Sets the asyncio loop that calls this object. `is_selector`: it calls select().
    void attach(PyObject* asyncio_loop, bool is_selector);
    /// Runs turns for at most `timeout` (seconds or None); returns a list of (key, events).
    [[nodiscard]] object select(PyObject* timeout);
    /// Runs a turn without waiting. Returns the seconds until the next one is due, or None.
    [[nodiscard]] object turn();
    void watch(int fd, int events, PyObject* key);
    void change(int fd, int events, PyObject* key);
    void unwatch(int fd) noexcept;
    /// The descriptor that a foreign loop watches to know when turn() is due.
    [[nodiscard]] int descriptor() const;

    /// The current turn no longer counts as one that may block the loop.
    void set_idle() noexcept { embedding_.set_idle(); }
    /// Output was written, or a coroutine was woken, by Python code outside of a turn.
    void on_activity() noexcept;

private:
    class key_watch;

    std::chrono::nanoseconds before_block(std::chrono::nanoseconds wait) noexcept override;
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override;
    void start_turn();
    void start_lifecycle();
    [[nodiscard]] bool is_budget_exhausted() const noexcept;
    void stop_if_ended();
    void throw_exit();
    [[nodiscard]] Py_ssize_t scheduled_count() const;
    /// Whether asyncio has something to do, or must be left to do it. With the GIL.
    [[nodiscard]] bool must_return() noexcept;
    [[nodiscard]] object take_ready();

    event_loop& loop_;
    loop_gil& gil_;
    asgi_application* application_;
    task_context context_;
    task<int> lifecycle_;
    event_loop::embedding embedding_;
    object object_;
    object asyncio_loop_;
    object ready_callbacks_;  // asyncio's deque of callbacks
    object schedule_turn_;    // for uvloop: calls turn() soon
    std::unordered_map<int, std::unique_ptr<key_watch>> watches_;
    std::vector<key_watch*> ready_;
    Py_ssize_t scheduled_ = 0;  // number of timers of asyncio when select() was called
    bool is_selector_ = true;
    bool has_started_ = false;
    bool has_ended_ = false;
    bool in_turn_ = false;
    bool is_turn_scheduled_ = false;
};

}  // namespace rondo::python
