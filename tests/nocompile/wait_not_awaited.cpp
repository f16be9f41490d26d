// SPDX-License-Identifier: Apache-2.0
// error: ignoring return(ed)? value
// To ask for a wait is not to wait.
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
