// SPDX-License-Identifier: Apache-2.0
// error: ignoring return(ed)? value
// A task does nothing until it is awaited, so discarding one is an error.
#include <rondo/coro/task.hpp>

rondo::task<int> answer() { co_return 42; }

rondo::task<int> ask() {
#ifdef CONTROL
    co_return co_await answer();
#else
    answer();
    co_return 0;
#endif
}
