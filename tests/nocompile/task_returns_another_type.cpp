// SPDX-License-Identifier: Apache-2.0
// error: (no matching (member )?function|constraints not satisfied|cannot convert|no viable)
// The returned value must convert to the task's result type.
#include <string>

#include <rondo/coro/task.hpp>

rondo::task<std::string> name() {
#ifdef CONTROL
    co_return "rondo";
#else
    co_return 42;
#endif
}
