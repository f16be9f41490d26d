// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL connection pool: queues of statements and connection waiters, growth, reconnects.
// Implemented in pool.cpp and pool_connect.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/db/driver.hpp>
#include <rondo/db/postgres/blocking_calls.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/encode.hpp>
#include <rondo/db/postgres/pending_query.hpp>
#include <rondo/db/postgres/statement_latency.hpp>
#include <rondo/db/postgres/target.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::db::postgres {

class lent_session;

/// Waits for exclusive use of a connection.
class borrower final : public waiter {
public:
    enum class wish : std::uint8_t {
        lend,   ///< a connection of the pool
        probe,  ///< the same, but fails at once when connecting fails
        extra,  ///< a dedicated connection outside the pool; fails at once too
    };
    borrower(pool& p, wish w) noexcept;
    ~borrower();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) {
        if (!suspend(handle)) return false;
        enter();
        return true;
    }
    connection* await_resume();

    void grant(connection& c) noexcept;
    void fail(std::exception_ptr failure) noexcept;
    /// The granted connection was destroyed.
    void revoke() noexcept;

    instant since{};
    wish wanted;

private:
    void enter();

    pool& pool_;
    connection* granted_ = nullptr;
    std::exception_ptr failure_;
    bool in_line_ = false;
};

/// The connections of one database object. Statements wait in one FIFO queue, callers that need exclusive use of a
/// connection in another; the older of the two heads is served first. A statement goes to an idle connection, otherwise
/// behind others on a connection that is not slow; fast statements share the first few connections. Connections are
/// opened on demand; while the server is down, with back-off, and callers wait up to the limit.
class pool final : public driver, event_loop::wait_hook {
public:
    pool(target to, const options& limits);
    ~pool() override;

    task<void> open() override;
    task<result> query(statement s, parameters p) override;
    task<std::unique_ptr<session>> lend(bool writes) override;
    task<std::unique_ptr<session>> extra() override;
    status now() const noexcept override;

    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    [[nodiscard]] const options& limits() const noexcept { return limits_; }
    [[nodiscard]] encoder& values() noexcept { return values_; }
    [[nodiscard]] errands& aside() noexcept { return errands_; }
    [[nodiscard]] speeds& seen() noexcept { return speeds_; }

    // Used by pending_query and connection_waiter.
    void submit(command& c, connection* to);
    void left_line() noexcept { --waiting_; }
    void give(command& c, connection& to) noexcept;
    void wait_for(borrower& b);
    void left_borrowing() noexcept { --borrowing_count_; }
    void extra_left(borrower& b) noexcept;

    // Used by connections.
    /// Whether statements are prepared under names.
    [[nodiscard]] bool keeps_names() const noexcept { return limits_.statements > 0 && names_kept_; }
    /// Stops naming prepared statements: a pooler in between does not track them per client.
    void names_are_not_kept() noexcept;
    /// Whether the user chose this setting in the URL.
    [[nodiscard]] bool leaves_alone(std::string_view setting) const noexcept {
        return target_.own_zone && setting == "TimeZone";
    }
    /// Reconnects without startup options, which a pooler may reject. Returns false when they are not the cause.
    [[nodiscard]] bool connects_otherwise(connection& c, const std::string& message) noexcept;
    void connected(connection& c) noexcept;
    void connect_failed(connection& c, const std::string& message) noexcept;
    void cancel_served(std::uint64_t id) noexcept;
    /// Schedules a run over the queues and the connections.
    void wake_up() noexcept;

    /// A connection is corked until the end of the turn.
    void corked() noexcept { corked_ = true; }

    // Used by sessions.
    void add(lent_session& s) noexcept;

private:
    struct later final : posted {
        explicit later(pool& p) noexcept : owner(p) {}
        void run_on_loop() noexcept override;
        pool& owner;
    };
    struct pool_timer final : timer {
        pool_timer(pool& p, function f) noexcept : timer(f), owner(p) {}
        pool& owner;
    };
    struct extra_one {
        std::unique_ptr<connection> made;
        borrower* wanted_by = nullptr;
    };

    [[nodiscard]] connection* choose(const statement& s) noexcept;
    [[nodiscard]] connection* choose_of_first(std::size_t lanes) noexcept;
    [[nodiscard]] connection* find_idle() noexcept;
    void before_wait() noexcept override;
    void work() noexcept;
    void tidy() noexcept;
    [[nodiscard]] bool serve_borrower() noexcept;
    [[nodiscard]] bool serve_line() noexcept;
    void reserve() noexcept;
    void waited_since(instant t) noexcept;
    void grow(std::size_t wanted) noexcept;
    [[nodiscard]] std::unique_ptr<connection> make_connection();
    void start(connection& c);
    void start_with(connection& c, const connect_parameters& to);
    void resolved(std::optional<connect_parameters> found, const std::string& message) noexcept;
    void fail_all(const std::exception_ptr& failure) noexcept;
    void fail_late() noexcept;
    [[nodiscard]] std::exception_ptr late() const;
    void arm_wait_timer() noexcept;
    void close_idle() noexcept;
    [[nodiscard]] bool any_ready() const noexcept;

    target target_;
    options limits_;
    event_loop& loop_;
    errands errands_;
    encoder values_;
    speeds speeds_;
    std::vector<std::unique_ptr<connection>> connections_;
    std::vector<extra_one> extras_;
    std::uint64_t ids_ = 0;

    intrusive_list<command> line_;
    std::size_t waiting_ = 0;
    intrusive_list<borrower> borrowing_;
    std::size_t borrowing_count_ = 0;
    std::uint64_t queries_ = 0;
    std::uint64_t waits_ = 0;
    clock::duration waited_{0};
    intrusive_list<list_node> sessions_;

    later later_;
    bool later_asked_ = false;
    bool corked_ = false;
    pool_timer wait_timer_;
    pool_timer retry_timer_;
    pool_timer idle_timer_;

    // Connecting.
    bool options_taken_ = true;
    bool names_kept_ = true;
    connect_parameters addresses_;
    instant addresses_until_{};
    bool resolving_ = false;
    int failures_ = 0;
    instant retry_at_{};
    instant down_since_ = instant::max();
    std::string last_failure_;
    std::string last_code_;
};

}  // namespace rondo::db::postgres
