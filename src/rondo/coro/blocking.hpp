// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace rondo {

/// Thrown by a blocking function that was called on a loop thread, where it would stop everybody.
struct synchronous_only : std::logic_error {
    using std::logic_error::logic_error;
};

/// Marks the calling thread as one that runs a loop, as long as it lives. May be nested.
class loop_thread_mark {
public:
    loop_thread_mark() noexcept;
    ~loop_thread_mark();
    loop_thread_mark(const loop_thread_mark&) = delete;
    loop_thread_mark& operator=(const loop_thread_mark&) = delete;
};

/// Takes the marks off the calling thread, as long as it lives: for code that is allowed to block this loop.
class loop_thread_unmark {
public:
    loop_thread_unmark() noexcept;
    ~loop_thread_unmark();
    loop_thread_unmark(const loop_thread_unmark&) = delete;
    loop_thread_unmark& operator=(const loop_thread_unmark&) = delete;

private:
    int marks_;
};

/// True on a thread that may block: one without a loop.
[[nodiscard]] bool blocking_allowed() noexcept;

/// Throws synchronous_only on a loop thread, naming `what` ("sync_wait") and what to do instead.
void require_blocking_allowed(const char* what);

}  // namespace rondo
