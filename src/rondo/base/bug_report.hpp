// SPDX-License-Identifier: Apache-2.0
// Reports bugs that the library detects and survives.
#pragma once

namespace rondo {

/// Called with a bug in the program that the library detected and survived, such as a task_group destroyed while tasks
/// run in it. `message` is a complete sentence. Called on any thread.
using bug_handler = void (*)(const char* message) noexcept;

/// Calls the handler. The library never terminates the program because of a bug that it reports.
void report_bug(const char* message) noexcept;

/// Sets the handler for all threads and returns the previous one. Null restores the default, which logs an error.
bug_handler set_bug_handler(bug_handler handler) noexcept;

}  // namespace rondo
