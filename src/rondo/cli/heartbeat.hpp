// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <rondo/loop/loop.hpp>
#include <rondo/process/child.hpp>

namespace rondo::cli {

/// After how much a process asks to be replaced; 0: never.
struct lifetime {
    std::uint64_t requests = 0;
    std::uint64_t resident_bytes = 0;
    std::chrono::milliseconds age{0};
};

/// Tells the arbiter, from a thread of its own, that the process lives and how long its loop has been at one thing;
/// logs the stacks of all threads when the arbiter wants to see them; asks for a replacement when a limit is reached.
/// To be made on the loop's thread, and destroyed before loop and child.
class heartbeat {
public:
    /// `requests` gives those served so far; it is called on the thread. Throws std::system_error.
    heartbeat(process::child& as, event_loop& loop, const lifetime& limits, std::function<std::uint64_t()> requests);
    ~heartbeat();
    heartbeat(const heartbeat&) = delete;
    heartbeat& operator=(const heartbeat&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Logs the stacks of all threads but the calling one, when the arbiter wants to see them before it kills the process.
/// stack_trace::prepare() was called.
void tell_stacks_if_wanted(process::child& self) noexcept;

/// The stacks of all threads of this process but the calling one, for the log.
[[nodiscard]] std::string stacks_of_all_threads();

}  // namespace rondo::cli
