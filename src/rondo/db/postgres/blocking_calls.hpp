// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include <rondo/loop/loop.hpp>

namespace rondo::db::postgres {

/// Calls of libpq and the C library that block for as long as somebody else likes: on threads of their own, which the
/// end of the program does not wait for. The blocking pool is not used: its threads may all be waiting for this.
class errands {
public:
    explicit errands(event_loop& loop);
    /// What runs goes on; nobody is told of its end any more.
    ~errands();
    errands(const errands&) = delete;
    errands& operator=(const errands&) = delete;

    /// Runs `job` on a thread, four at once at most, then `then` on the loop. `then` is not called after the end of
    /// this.
    void run(std::move_only_function<void()> job, std::move_only_function<void()> then);

private:
    struct state;
    std::shared_ptr<state> state_;
    std::shared_ptr<bool> alive_;
};

}  // namespace rondo::db::postgres
