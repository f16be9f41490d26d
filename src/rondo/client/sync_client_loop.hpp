// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>

#include <rondo/loop/loop.hpp>

namespace rondo::detail {

/// A thread with a loop for calls of threads that have none. Starts when it is first needed.
class client_background {
public:
    client_background();
    /// There must be no calls any more.
    ~client_background();
    client_background(const client_background&) = delete;
    client_background& operator=(const client_background&) = delete;

    /// Any thread. In a forked process it is another.
    [[nodiscard]] event_loop& loop();
    /// True in a forked process once: what there is belongs to the parent. Any thread.
    [[nodiscard]] bool leave_parents() noexcept;

private:
    struct state;
    std::mutex starting_;
    std::unique_ptr<state> state_;
    unsigned made_after_;
};

}  // namespace rondo::detail
