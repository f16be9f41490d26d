// SPDX-License-Identifier: Apache-2.0
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

/// The loop that a database object's connections live on, and the way to it from anywhere. The driver is made there
/// when it is first needed, and destroyed when that loop ends.
class home {
public:
    home(location where, options limits);
    ~home();
    home(const home&) = delete;
    home& operator=(const home&) = delete;

    [[nodiscard]] const location& where() const noexcept;

    /// Makes the calling thread's loop the home, unless there is one.
    void settle_here();
    /// The home; chosen now when there is none. Any thread.
    [[nodiscard]] event_loop& loop();
    /// On the home's thread.
    [[nodiscard]] db::driver& driver();

    [[nodiscard]] task<void> open();
    [[nodiscard]] task<void> close();
    [[nodiscard]] task<result> query(statement s, parameters p);
    [[nodiscard]] task<session_lease> lend(bool writes);
    [[nodiscard]] task<session_lease> extra();
    [[nodiscard]] task<db::status> now();

    // What these return is for wait(), or for the home's own loop.
    [[nodiscard]] task<void> open_here();
    [[nodiscard]] task<void> close_here();
    [[nodiscard]] task<result> query_here(statement s, parameters p);
    [[nodiscard]] task<session_lease> lend_here(bool writes);
    [[nodiscard]] task<session_lease> extra_here();
    [[nodiscard]] task<db::status> now_here();

    /// The task, to be awaited on the calling thread's loop, though it runs at home.
    template <class T>
    [[nodiscard]] task<T> from_here(task<T> t) {
        event_loop& at = loop();
        if (&at == event_loop::current_or_null()) return t;
        return from_elsewhere(at, std::move(t));
    }
    /// The same for a thread that may block; throws synchronous_only, naming `what`, on others.
    template <class T>
    T wait(const char* what, task<T> t) {
        require_blocking_allowed(what);
        return run_on_and_wait(loop(), std::move(t));
    }

private:
    struct state;

    template <class T>
    static task<T> from_elsewhere(event_loop& at, task<T> t) {
        co_return co_await run_on(at, std::move(t));
    }
    std::unique_ptr<state> state_;
};

}  // namespace rondo::db
