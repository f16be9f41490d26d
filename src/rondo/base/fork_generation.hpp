// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rondo {

/// How many forks lie between the program's start and this process: who kept the number can tell that it has threads
/// and connections of its parent's, which it may not use. Costs no system call. Any thread.
[[nodiscard]] unsigned forks() noexcept;

}  // namespace rondo
