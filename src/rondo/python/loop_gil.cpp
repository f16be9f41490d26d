// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/loop_gil.hpp>

#include <utility>

#include <rondo/base/clock.hpp>

namespace rondo::python {

void loop_gil::take() noexcept {
    state_.store(gil_state::waiting, std::memory_order_relaxed);
    const instant before = clock::now();
    PyEval_RestoreThread(std::exchange(thread_, nullptr));
    waited_ns_.store(waited_ns() + std::chrono::nanoseconds(clock::now() - before).count(), std::memory_order_relaxed);
    state_.store(gil_state::held, std::memory_order_relaxed);
}

}  // namespace rondo::python
