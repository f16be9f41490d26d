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
class scoped_disallow_blocking {
public:
    scoped_disallow_blocking() noexcept;
    ~scoped_disallow_blocking();
    scoped_disallow_blocking(const scoped_disallow_blocking&) = delete;
    scoped_disallow_blocking& operator=(const scoped_disallow_blocking&) = delete;
};

/// Allows blocking on the calling thread for the lifetime of this object: for code that may block this loop.
class scoped_allow_blocking {
public:
    scoped_allow_blocking() noexcept;
    ~scoped_allow_blocking();
    scoped_allow_blocking(const scoped_allow_blocking&) = delete;
    scoped_allow_blocking& operator=(const scoped_allow_blocking&) = delete;

private:
    int saved_depth_;
};

/// Returns true on a thread that may block: one that runs no loop.
[[nodiscard]] bool blocking_allowed() noexcept;

/// Throws synchronous_only on a loop thread; the message names `function` ("sync_wait") and the alternatives.
void require_blocking_allowed(const char* function);

}  // namespace rondo
