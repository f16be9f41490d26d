// SPDX-License-Identifier: Apache-2.0
// Threads for blocking calls of libpq and the C library (cancel requests, name resolution).
#pragma once

#include <functional>
#include <memory>

#include <rondo/loop/loop.hpp>

namespace rondo::db::postgres {

/// Runs calls of libpq and the C library that may block indefinitely on its own threads, which the program does not
/// wait for at exit. The blocking pool is not used: all its threads may be waiting for such a call.
class blocking_calls {
public:
    explicit blocking_calls(event_loop& loop);
    /// Running jobs continue; their `then` is not called.
    ~blocking_calls();
    blocking_calls(const blocking_calls&) = delete;
    blocking_calls& operator=(const blocking_calls&) = delete;

    /// Runs `job` on a thread (at most four at a time), then `then` on the loop. `then` is not called after the
    /// destructor.
    void run(std::move_only_function<void()> job, std::move_only_function<void()> then);

private:
    struct state;
    std::shared_ptr<state> state_;
    std::shared_ptr<bool> alive_;
};

}  // namespace rondo::db::postgres
