// SPDX-License-Identifier: Apache-2.0
// Reports to the arbiter that a worker is alive, and requests its recycling when a limit is reached.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <rondo/loop/loop.hpp>
#include <rondo/process/current_child.hpp>

namespace rondo::cli {

/// Limits after which a process requests to be recycled; 0: never.
struct recycle_limits {
    std::uint64_t requests = 0;
    std::uint64_t resident_bytes = 0;
    std::chrono::milliseconds age{0};
};

/// A thread that sends heartbeats with the start time of the current loop turn to the arbiter, logs the stacks of all
/// threads on request of the arbiter, and requests recycling when a limit is reached. Create on the loop thread;
/// destroy before loop and child.
class heartbeat {
public:
    /// `requests` returns the number served so far, `more_stacks` a text to log after the stacks of the threads; both
    /// are called on the heartbeat thread. Throws std::system_error.
    heartbeat(process::child& self, event_loop& loop, const recycle_limits& limits,
              std::function<std::uint64_t()> requests, std::function<std::string()> more_stacks = nullptr);
    ~heartbeat();
    heartbeat(const heartbeat&) = delete;
    heartbeat& operator=(const heartbeat&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Logs the stacks of all threads but the calling one, then the text of `more_stacks`, if the arbiter requested them
/// before killing the process. Requires an earlier call of stack_trace::prepare().
void dump_stacks_if_requested(process::child& self, const std::function<std::string()>& more_stacks = nullptr) noexcept;

/// The stacks of all threads of this process except the calling one, as log text.
[[nodiscard]] std::string all_thread_stacks();

}  // namespace rondo::cli
