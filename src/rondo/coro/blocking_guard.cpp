// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking_guard.hpp>

#include <string>
#include <utility>

namespace rondo {

namespace {
thread_local constinit int disallow_depth = 0;
}

scoped_disallow_blocking::scoped_disallow_blocking() noexcept { ++disallow_depth; }
scoped_disallow_blocking::~scoped_disallow_blocking() { --disallow_depth; }

scoped_allow_blocking::scoped_allow_blocking() noexcept : saved_depth_(std::exchange(disallow_depth, 0)) {}
scoped_allow_blocking::~scoped_allow_blocking() { disallow_depth = saved_depth_; }

bool blocking_allowed() noexcept { return disallow_depth == 0; }

void require_blocking_allowed(const char* function) {
    if (blocking_allowed()) return;
    throw synchronous_only(std::string(function) +
                           " blocks, but this thread runs an event loop: co_await the asynchronous form, or make the "
                           "view synchronous (return the response instead of a task) to run it on a pool thread");
}

}  // namespace rondo
