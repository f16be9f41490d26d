// SPDX-License-Identifier: Apache-2.0
// The loop thread that makes the blocking calls of an HTTP client.
#pragma once

#include <memory>
#include <mutex>

#include <rondo/loop/loop.hpp>

#include <rondo/base/fork_generation.hpp>

namespace rondo::detail {

/// A loop thread for calls from threads without a loop. Starts on first use.
class client_background {
public:
    client_background();
    /// All calls must have ended.
    ~client_background();
    client_background(const client_background&) = delete;
    client_background& operator=(const client_background&) = delete;

    /// The loop of this process. Any thread.
    [[nodiscard]] event_loop& loop();
    /// True once in a forked process: abandons the parent's thread. Any thread.
    [[nodiscard]] bool leave_parents() noexcept;

private:
    struct state;
    std::mutex starting_;
    std::unique_ptr<state> state_;
    process_mark process_;
};

}  // namespace rondo::detail
