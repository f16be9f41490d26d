// SPDX-License-Identifier: Apache-2.0
// A fixture that fails when objects leak, and tasks and events for coroutine tests.
#pragma once

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>

namespace rondo {

/// GCC makes symmetric transfer between coroutines a tail call only when optimising, and not with sanitizers.
#if defined(__clang__) || (defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__))
inline constexpr int stack_test_iterations = 1'000'000;
#else
inline constexpr int stack_test_iterations = 1'000;
#endif

/// Counts its constructed and its live objects.
struct counted {
    static inline int constructed = 0;
    static inline int alive = 0;

    int value;
    explicit counted(int v = 0) noexcept : value(v) { on_construct(); }
    counted(const counted& other) noexcept : value(other.value) { on_construct(); }
    counted(counted&& other) noexcept : value(other.value) { on_construct(); }
    counted& operator=(const counted&) noexcept = default;
    counted& operator=(counted&&) noexcept = default;
    ~counted() { --alive; }

private:
    static void on_construct() noexcept {
        ++constructed;
        ++alive;
    }
};

/// Every `counted` object of a test must have been destroyed when the test ends.
class LiveObjects : public testing::Test {
protected:
    void SetUp() override { counted::constructed = counted::alive = 0; }
    void TearDown() override { EXPECT_EQ(counted::alive, 0); }
};

/// Starts a task; the caller still owns it.
template <class T>
void start(task<T>& t, task_context* in = nullptr) {
    if (in) t.coroutine().promise().set_context(in);
    t.coroutine().resume();
}

/// The result of a finished task.
template <class T>
T result(task<T>& t) {
    if (!t.done()) throw std::logic_error("the task has not ended");
    return t.coroutine().promise().take();
}

/// Waits for the event, with a `counted` object in its frame, and returns `value`.
inline task<int> value_after_event(event& e, int value = 0) {
    counted held(value);
    co_await e.wait();
    co_return held.value;
}

inline task<void> await_event(event& e) {
    counted held;
    co_await e.wait();
}

inline task<void> set_event(event& e) {
    e.set();
    co_return;
}

inline task<int> ready_task(int value) { co_return value; }

inline task<int> fail(const char* text) {
    counted held;
    throw std::runtime_error(text);
    co_return 0;
}

inline task<void> fail_after(event& e, const char* text) {
    counted held;
    co_await e.wait();
    throw std::runtime_error(text);
}

/// Writes to `note` how its wait ended.
inline task<void> record_outcome(event& e, std::string& note) {
    counted held;
    note = "waiting";
    try {
        co_await e.wait();
        note = "woken";
    } catch (const cancelled& c) {
        note = "cancelled " + std::to_string(static_cast<int>(c.reason));
        throw;
    }
}

}  // namespace rondo
