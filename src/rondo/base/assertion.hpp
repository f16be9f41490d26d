// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rondo {

/// Told of a mistake in the program that the library noticed and survived (a task_group destroyed with work inside).
/// `what` is a whole sentence. Any thread.
using bug_handler = void (*)(const char* what) noexcept;

/// Reports a bug to the handler. The library never ends the program because of one.
void report_bug(const char* what) noexcept;

/// Sets who is told, for all threads, and returns who was; null restores the first one, which logs an error.
bug_handler on_bug(bug_handler handler) noexcept;

}  // namespace rondo
