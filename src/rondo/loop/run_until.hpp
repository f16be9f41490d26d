// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace detail {

class run_until_end final : public task_end {
public:
    bool done = false;
    std::coroutine_handle<> ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override {
        done = true;
        return std::noop_coroutine();
    }
};

}  // namespace detail

template <class T>
T event_loop::run_until(task<T> t, context* in) {
    context own;
    detail::run_until_end end;
    auto coroutine = t.coroutine();
    coroutine.promise().run_in(in ? in : &own);
    coroutine.promise().end_at(&end);
    start_and_turn(coroutine, in ? in : &own, end.done);
    return coroutine.promise().take();
}

}  // namespace rondo
