// SPDX-License-Identifier: Apache-2.0
// error: await_ready
// An event itself cannot be awaited; wait() can.
#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>

rondo::task<void> pause(rondo::event& e) {
#ifdef CONTROL
    co_await e.wait();
#else
    co_await e;
#endif
}
