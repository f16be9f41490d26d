// SPDX-License-Identifier: Apache-2.0
// error: (deleted function|deleted member function|use of deleted)
// A generator is resumed by ordinary code, so its body cannot co_await.
#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/generator.hpp>
#include <rondo/coro/task.hpp>

rondo::task<int> answer() { co_return 42; }

#ifdef CONTROL
rondo::async_generator<int> answers() { co_yield co_await answer(); }
#else
rondo::generator<int> answers() { co_yield co_await answer(); }
#endif
