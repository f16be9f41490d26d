// SPDX-License-Identifier: Apache-2.0
// The state of a database object: its backend, the loop it belongs to, and the calls that reach it from any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/db/driver.hpp>
#include <rondo/db/url.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/run_on.hpp>

namespace rondo::db {

class session_lease;

/// Owns the driver of a database object and the choice of its loop; forwards calls from other threads to that loop. The
/// driver is created there on first use and destroyed when the loop ends.
class database_state {
public:
    database_state(database_location location, options limits);
    ~database_state();
    database_state(const database_state&) = delete;
    database_state& operator=(const database_state&) = delete;

    [[nodiscard]] const database_location& location() const noexcept;

    /// Chooses the calling thread's loop, unless one was chosen before.
    void attach_to_current_loop();
    /// Returns the loop, choosing one if needed. Any thread.
    [[nodiscard]] event_loop& loop();
    /// Loop thread only.
    [[nodiscard]] db::driver& driver();

    [[nodiscard]] task<void> open();
    [[nodiscard]] task<void> close();
    [[nodiscard]] task<result> query(statement s, parameters p);
    [[nodiscard]] task<session_lease> acquire(bool writes);
    [[nodiscard]] task<session_lease> acquire_dedicated();
    [[nodiscard]] task<db::database_stats> stats();

    // Pass the tasks that these return to run_and_wait(), or await them on the loop.
    [[nodiscard]] task<void> open_on_loop();
    [[nodiscard]] task<void> close_on_loop();
    [[nodiscard]] task<result> query_on_loop(statement s, parameters p);
    [[nodiscard]] task<session_lease> acquire_on_loop(bool writes);
    [[nodiscard]] task<session_lease> acquire_dedicated_on_loop();
    [[nodiscard]] task<db::database_stats> stats_on_loop();

    /// Returns a task to be awaited on the calling thread's loop that runs `t` on the database's loop.
    template <class T>
    [[nodiscard]] task<T> run_on_loop(task<T> t) {
        event_loop& own = loop();
        if (&own == event_loop::current_or_null()) return t;
        return run_on_other_loop(own, std::move(t));
    }
    /// Runs `t` on the database's loop and blocks for its result. Throws synchronous_only, naming `caller`, on threads
    /// that must not block.
    template <class T>
    T run_and_wait(const char* caller, task<T> t) {
        require_blocking_allowed(caller);
        return run_on_and_wait(loop(), std::move(t));
    }

private:
    struct impl;

    template <class T>
    static task<T> run_on_other_loop(event_loop& own, task<T> t) {
        co_return co_await run_on(own, std::move(t));
    }
    std::unique_ptr<impl> impl_;
};

}  // namespace rondo::db
