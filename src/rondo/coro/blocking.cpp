// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking.hpp>

#include <string>
#include <utility>

namespace rondo {

namespace {
thread_local constinit int disallow_depth = 0;
}

loop_thread_mark::loop_thread_mark() noexcept { ++disallow_depth; }
loop_thread_mark::~loop_thread_mark() { --disallow_depth; }

loop_thread_unmark::loop_thread_unmark() noexcept : marks_(std::exchange(disallow_depth, 0)) {}
loop_thread_unmark::~loop_thread_unmark() { disallow_depth = marks_; }

bool blocking_allowed() noexcept { return disallow_depth == 0; }

void require_blocking_allowed(const char* function) {
    if (blocking_allowed()) return;
    throw synchronous_only(std::string(function) +
                           " blocks, but this thread runs an event loop: co_await the asynchronous form, or make the "
                           "view synchronous (return the response instead of a task) to run it on a pool thread");
}

}  // namespace rondo
