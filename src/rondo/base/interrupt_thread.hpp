// SPDX-License-Identifier: Apache-2.0
// Runs a function on another thread of this process by means of a signal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <sys/types.h>

#include <rondo/base/stack_trace.hpp>

namespace rondo {

/// Function for interrupt_thread(). `address` is the instruction at which the thread was interrupted.
/// Must be async-signal-safe.
using interrupt_function = void (*)(void* argument, std::uintptr_t address) noexcept;

/// Makes a thread of this process call `f(argument, address)` in a signal handler, and waits until it returned. False
/// when it did not start within `timeout`, or the thread blocks the signal; then it is not called later either. The
/// signal is SIGURG with SA_RESTART, but sleep(), poll() and similar calls still end with EINTR. Called on any other
/// thread.
[[nodiscard]] bool interrupt_thread(pid_t thread, interrupt_function f, void* argument,
                                    std::chrono::milliseconds timeout);

/// Captures the stack of another thread of this process. Nothing when interrupt_thread() fails.
[[nodiscard]] std::optional<stack_trace> capture_thread_stack(pid_t thread, std::chrono::milliseconds timeout);

}  // namespace rondo
