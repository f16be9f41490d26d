// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <stdexcept>

#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// Thrown by with_timeout when the time is over.
class timed_out : public std::runtime_error {
public:
    timed_out() : std::runtime_error("the time allowed for this step is over") {}
};

/// Runs `t` in a context of its own that is cancelled after `d`; then timed_out is thrown, after `t` has cleaned up.
template <class T>
[[nodiscard]] task<T> with_timeout(clock::duration d, task<T> t);

}  // namespace rondo
