// SPDX-License-Identifier: Apache-2.0
// error: operator co_await|no member named 'await_ready'|no 'operator co_await'|discards qualifiers|awaitable
// Awaiting a task consumes it, so it must be an rvalue.
#include <utility>

#include <rondo/coro/task.hpp>

rondo::task<int> answer() { co_return 42; }

rondo::task<int> ask() {
    rondo::task<int> t = answer();
#ifdef CONTROL
    co_return co_await std::move(t);
#else
    co_return co_await t;
#endif
}
