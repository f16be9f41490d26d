// SPDX-License-Identifier: Apache-2.0
// A statement that waits in the queue of the pool or is in flight on a connection.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>

#include <rondo/coro/waiter.hpp>
#include <rondo/db/parameters.hpp>
#include <rondo/db/postgres/rows.hpp>
#include <rondo/db/statement.hpp>

namespace rondo::db::postgres {

class connection;
class pool;

/// A statement from its submission to its result: first in the queue of the pool, then on a connection. Awaited in
/// place; a cancellation removes it from the queue or makes the connection abandon it.
class pending_query final : public waiter {
public:
    /// `target`: the connection to use; null: any. The statement and the values must outlive this.
    pending_query(pool& p, statement s, const parameters& values, connection* target = nullptr) noexcept;
    ~pending_query();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) {
        if (!suspend(handle)) return false;
        enqueue();
        return true;
    }
    result_ptr await_resume();

    [[nodiscard]] const statement& sql() const noexcept { return statement_; }
    [[nodiscard]] const parameters& values() const noexcept { return values_; }

    // Used by the pool and the connection.
    enum class query_state : std::uint8_t { none, queued, sent };
    void succeed(result_ptr r) noexcept;
    void fail(std::exception_ptr failure) noexcept;

    instant queued_at{};  ///< when it was queued
    connection* assigned_to = nullptr;
    query_state state = query_state::none;
    bool retried = false;  ///< sent a second time because its prepared statement was stale

private:
    void enqueue();
    void withdraw() noexcept;

    pool& pool_;
    statement statement_;
    const parameters& values_;
    connection* target_;
    result_ptr result_;
    std::exception_ptr failure_;
};

}  // namespace rondo::db::postgres
