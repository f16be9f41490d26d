// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking.hpp>

#include <string>
#include <utility>

namespace rondo {

namespace {
thread_local constinit int loops = 0;
}

loop_thread_mark::loop_thread_mark() noexcept { ++loops; }
loop_thread_mark::~loop_thread_mark() { --loops; }

loop_thread_unmark::loop_thread_unmark() noexcept : marks_(std::exchange(loops, 0)) {}
loop_thread_unmark::~loop_thread_unmark() { loops = marks_; }

bool blocking_allowed() noexcept { return loops == 0; }

void require_blocking_allowed(const char* what) {
    if (blocking_allowed()) return;
    throw synchronous_only(std::string(what) +
                           " blocks, and this thread runs an event loop: co_await the asynchronous form instead, or "
                           "make the view a synchronous one (return the response, not a task), which runs on a pool "
                           "thread");
}

}  // namespace rondo
