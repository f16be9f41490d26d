// SPDX-License-Identifier: Apache-2.0
// A loop with a blocking pool, for tests that run coroutines.
#pragma once

#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::testing {

/// A loop with a blocking pool on the thread of the test.
class test_loop {
public:
    test_loop() { loop.use_pools(&blocking, &blocking); }

    template <class T>
    T run(task<T> t, task_context* in = nullptr) {
        return loop.run_until(std::move(t), in);
    }

    event_loop loop;
    thread_pool blocking{{.name = "blocking", .threads = 2}};
};

}  // namespace rondo::testing
