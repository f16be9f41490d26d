// SPDX-License-Identifier: Apache-2.0
// error: (no matching (member )?function|could not convert|cannot convert).*
// The result would be lost; when_all is for tasks with results.
#include <rondo/coro/task_group.hpp>

rondo::task<int> answer() { co_return 42; }
rondo::task<void> act() { co_return; }

void begin(rondo::task_group& group) {
#ifdef CONTROL
    group.spawn(act());
#else
    group.spawn(answer());
#endif
}
