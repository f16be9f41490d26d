// SPDX-License-Identifier: Apache-2.0
// error: (deleted|implicitly deleted|call to deleted)
// A task owns one coroutine: it can be moved, but not copied.
#include <utility>

#include <rondo/coro/task.hpp>

rondo::task<int> twice(rondo::task<int> t) {
#ifdef CONTROL
    rondo::task<int> same = std::move(t);
#else
    rondo::task<int> same = t;
#endif
    co_return co_await std::move(same);
}
