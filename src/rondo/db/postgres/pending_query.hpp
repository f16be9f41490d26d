// SPDX-License-Identifier: Apache-2.0
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

/// A statement on its way: in the pool's line, then on a connection. Awaited where it lies; when that is cancelled it
/// leaves the line, or is abandoned by its connection.
class command final : public waiter {
public:
    /// `on`: the connection it must go to; null: any. The statement and the values must outlive this.
    command(pool& p, statement s, const parameters& values, connection* on = nullptr) noexcept;
    ~command();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        if (!suspend(who)) return false;
        enter();
        return true;
    }
    result_ptr await_resume();

    [[nodiscard]] const statement& sql() const noexcept { return statement_; }
    [[nodiscard]] const parameters& values() const noexcept { return values_; }

    // For the pool and the connection.
    enum class place : std::uint8_t { nowhere, line, connection };
    void succeed(result_ptr r) noexcept;
    void fail(std::exception_ptr failure) noexcept;

    instant since{};  ///< when it came to the line
    connection* on = nullptr;
    place where = place::nowhere;
    bool repeated = false;  ///< sent a second time, because its prepared form was out of date

private:
    void enter();
    void leave() noexcept;

    pool& pool_;
    statement statement_;
    const parameters& values_;
    connection* target_;
    result_ptr result_;
    std::exception_ptr failure_;
};

}  // namespace rondo::db::postgres
