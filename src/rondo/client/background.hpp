// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include <rondo/coro/task.hpp>

namespace rondo::detail {

/// A thread with a loop for calls of threads that have none. Starts when it is first needed.
class client_background {
public:
    client_background();
    /// Waits for the calls that run.
    ~client_background();
    client_background(const client_background&) = delete;
    client_background& operator=(const client_background&) = delete;

    /// Runs `work()` on the loop and waits for its end. `work` catches what its task throws. Any thread without a loop.
    void run(task<void> (*work)(void* with), void* with);

private:
    struct state;
    std::mutex starting_;
    std::unique_ptr<state> state_;
};

}  // namespace rondo::detail
