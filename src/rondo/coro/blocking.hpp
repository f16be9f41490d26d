// SPDX-License-Identifier: Apache-2.0
// Detects blocking calls on event-loop threads.
#pragma once

#include <stdexcept>

namespace rondo {

/// Thrown by a blocking function that is called on a loop thread, where it would block all other work.
struct synchronous_only : std::logic_error {
    using std::logic_error::logic_error;
};

/// Disallows blocking on the calling thread, because it runs a loop, for the lifetime of this object. May be nested.
class loop_thread_mark {
public:
    loop_thread_mark() noexcept;
    ~loop_thread_mark();
    loop_thread_mark(const loop_thread_mark&) = delete;
    loop_thread_mark& operator=(const loop_thread_mark&) = delete;
};

/// Allows blocking on the calling thread for the lifetime of this object: for code that may block this loop.
class loop_thread_unmark {
public:
    loop_thread_unmark() noexcept;
    ~loop_thread_unmark();
    loop_thread_unmark(const loop_thread_unmark&) = delete;
    loop_thread_unmark& operator=(const loop_thread_unmark&) = delete;

private:
    int marks_;
};

/// Returns true on a thread that may block: one that runs no loop.
[[nodiscard]] bool blocking_allowed() noexcept;

/// Throws synchronous_only on a loop thread; the message names `function` ("sync_wait") and the alternatives.
void require_blocking_allowed(const char* function);

}  // namespace rondo
