// SPDX-License-Identifier: Apache-2.0
// The loop thread that makes the blocking calls of an HTTP client.
#pragma once

#include <memory>
#include <mutex>

#include <rondo/loop/loop.hpp>

#include <rondo/base/fork_generation.hpp>

namespace rondo::detail {

/// A loop thread for calls from threads without a loop. Starts on first use.
class sync_client_loop {
public:
    sync_client_loop();
    /// All calls must have ended.
    ~sync_client_loop();
    sync_client_loop(const sync_client_loop&) = delete;
    sync_client_loop& operator=(const sync_client_loop&) = delete;

    /// The loop of this process. Any thread.
    [[nodiscard]] event_loop& loop();
    /// True once in a forked process: abandons the parent's thread. Any thread.
    [[nodiscard]] bool reset_after_fork() noexcept;

private:
    struct state;
    std::mutex mutex_;
    std::unique_ptr<state> state_;
    process_mark process_;
};

}  // namespace rondo::detail
