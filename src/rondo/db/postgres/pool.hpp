// SPDX-License-Identifier: Apache-2.0
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

/// Waits for a connection of its own.
class borrower final : public waiter {
public:
    enum class wish : std::uint8_t {
        lend,   ///< one of the pool's
        probe,  ///< the same, and told at once when it cannot be made
        extra,  ///< one beside the pool; told at once too
    };
    borrower(pool& p, wish w) noexcept;
    ~borrower();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        if (!suspend(who)) return false;
        enter();
        return true;
    }
    connection* await_resume();

    void grant(connection& c) noexcept;
    void fail(std::exception_ptr failure) noexcept;
    /// What was granted is gone.
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

/// The connections of one database object. Statements wait in one line, first come first served, those who want a
/// connection of their own in another; whoever came first of both is served first. A statement goes to an idle
/// connection, else behind others on one that is quick; statements that are quick share the first few. Connections are
/// made as they are needed; while the server is away, at growing intervals, and everybody waits up to the limit.
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

    // For commands and borrowers.
    void submit(command& c, connection* to);
    void left_line() noexcept { --waiting_; }
    void give(command& c, connection& to) noexcept;
    void wait_for(borrower& b);
    void left_borrowing() noexcept { --borrowing_count_; }
    void extra_left(borrower& b) noexcept;

    // For connections.
    /// Whether prepared statements get names.
    [[nodiscard]] bool keeps_names() const noexcept { return limits_.statements > 0 && names_kept_; }
    /// A pooler in between mixes up who knows which name: from now on there are none.
    void names_are_not_kept() noexcept;
    /// The setting is the user's.
    [[nodiscard]] bool leaves_alone(std::string_view setting) const noexcept {
        return target_.own_zone && setting == "TimeZone";
    }
    /// A pooler may refuse the options of the start: tries again without. False: that is not it.
    [[nodiscard]] bool connects_otherwise(connection& c, const std::string& message) noexcept;
    void connected(connection& c) noexcept;
    void connect_failed(connection& c, const std::string& message) noexcept;
    void cancel_served(std::uint64_t id) noexcept;
    /// Something changed: looks at the lines and the connections soon.
    void wake_up() noexcept;

    /// A connection holds something back until the end of the turn.
    void corked() noexcept { corked_ = true; }

    // For sessions.
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
