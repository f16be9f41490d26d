// SPDX-License-Identifier: Apache-2.0
// The GIL as the loop thread uses it: taken at the first call into Python of a turn, given back before the loop waits.
#pragma once

#include <atomic>
#include <cstdint>

#include <rondo/python/python_api.hpp>

namespace rondo::python {

/// Where the loop thread is with regard to the GIL; for reports from other threads.
enum class gil_state : std::uint8_t { released, waiting, held };

/// The GIL of the loop thread. Only state() and waited_ns() may be called on other threads.
class loop_gil {
public:
    /// The calling thread holds the GIL.
    loop_gil() noexcept = default;
    loop_gil(const loop_gil&) = delete;
    loop_gil& operator=(const loop_gil&) = delete;

    /// Takes the GIL unless it is held.
    void acquire() noexcept {
        used_ = true;
        if (thread_ != nullptr) take();
    }
    /// Gives it back unless that was done.
    void release() noexcept {
        if (thread_ != nullptr) return;
        state_.store(gil_state::released, std::memory_order_relaxed);
        thread_ = PyEval_SaveThread();
    }
    [[nodiscard]] bool is_held() const noexcept { return thread_ == nullptr; }

    /// True when acquire() was called since clear_used().
    [[nodiscard]] bool was_used() const noexcept { return used_; }
    void clear_used() noexcept { used_ = false; }

    [[nodiscard]] gil_state state() const noexcept { return state_.load(std::memory_order_relaxed); }
    /// Total time for which this thread has waited for the GIL.
    [[nodiscard]] std::int64_t waited_ns() const noexcept { return waited_ns_.load(std::memory_order_relaxed); }

private:
    void take() noexcept;

    PyThreadState* thread_ = nullptr;  // of this thread while it does not hold the GIL
    bool used_ = false;
    std::atomic<gil_state> state_{gil_state::held};
    std::atomic<std::int64_t> waited_ns_{0};
};

}  // namespace rondo::python
