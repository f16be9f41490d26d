// SPDX-License-Identifier: Apache-2.0
// error: ignoring return(ed)? value
// wait() does nothing until it is awaited.
#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>

rondo::task<void> pause(rondo::event& e) {
#ifdef CONTROL
    co_await e.wait();
#else
    e.wait();
    co_return;
#endif
}
