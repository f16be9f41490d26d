// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <sys/types.h>

#include <rondo/base/stack_trace.hpp>

namespace rondo {

/// What interrupt_thread() calls. `at` is the address of the instruction at which the thread was interrupted.
/// Async-signal-safe: it may run in the middle of anything.
using interrupt_function = void (*)(void* with, std::uintptr_t at) noexcept;

/// Makes a thread of this process call `f(with, at)` at once, whatever it is doing, and waits for that. False when it
/// did not within `limit`, or blocks the signal; then it never will. The signal is SIGURG with SA_RESTART; sleep(),
/// poll() and their like are cut short by it all the same. Any thread but the interrupted one.
[[nodiscard]] bool interrupt_thread(pid_t thread, interrupt_function f, void* with, std::chrono::milliseconds limit);

/// The stack of another thread of this process.
[[nodiscard]] std::optional<stack_trace> stack_of_thread(pid_t thread, std::chrono::milliseconds limit);

}  // namespace rondo
