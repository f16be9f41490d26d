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
#include <rondo/db/postgres/blocking_threads.hpp>
#include <rondo/db/postgres/connect_target.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/encode.hpp>
#include <rondo/db/postgres/pending_query.hpp>
#include <rondo/db/postgres/statement_latency.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::db::postgres {

class leased_session;

/// Waits for exclusive use of a connection.
class connection_waiter final : public waiter {
public:
    enum class request_kind : std::uint8_t {
        pooled,     ///< a connection of the pool
        probe,      ///< the same, but fails at once when connecting fails
        dedicated,  ///< a dedicated connection outside the pool; fails at once too
    };
    connection_waiter(pool& p, request_kind kind) noexcept;
    ~connection_waiter();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) {
        if (!suspend(handle)) return false;
        enqueue();
        return true;
    }
    connection* await_resume();

    void grant(connection& c) noexcept;
    void fail(std::exception_ptr failure) noexcept;
    /// The granted connection was destroyed.
    void revoke() noexcept;

    instant queued_at{};
    request_kind requested;

private:
    void enqueue();

    pool& pool_;
    connection* granted_ = nullptr;
    std::exception_ptr failure_;
    bool queued_ = false;
};

/// The connections of one database object. Statements wait in one FIFO queue, callers that need exclusive use of a
/// connection in another; the older of the two heads is served first. A statement goes to an idle connection, otherwise
/// behind others on a connection that is not slow; fast statements share the first few connections. Connections are
/// opened on demand; while the server is down, with back-off, and callers wait up to the limit.
class pool final : public driver, event_loop::wait_hook {
public:
    pool(connect_target to, const options& limits);
    ~pool() override;

    task<void> open() override;
    task<result> query(statement s, parameters p) override;
    task<std::unique_ptr<session>> acquire(bool writes) override;
    task<std::unique_ptr<session>> acquire_dedicated() override;
    database_stats stats() const noexcept override;

    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    [[nodiscard]] const options& limits() const noexcept { return limits_; }
    [[nodiscard]] encoder& parameter_encoder() noexcept { return parameter_encoder_; }
    [[nodiscard]] blocking_calls& blocking() noexcept { return blocking_calls_; }
    [[nodiscard]] statement_latency& latencies() noexcept { return latencies_; }

    // Used by pending_query and connection_waiter.
    void submit(pending_query& c, connection* to);
    void remove_query() noexcept { --queue_length_; }
    void dispatch(pending_query& c, connection& to) noexcept;
    void enqueue(connection_waiter& w);
    void remove_connection_waiter() noexcept { --connection_waiter_count_; }
    void abandon_dedicated(connection_waiter& w) noexcept;

    // Used by connections.
    /// Whether statements are prepared under names.
    [[nodiscard]] bool names_statements() const noexcept {
        return limits_.statement_cache_size > 0 && named_statements_work_;
    }
    /// Stops naming prepared statements: a pooler in between does not track them per client.
    void stop_naming_statements() noexcept;
    /// Whether the user chose this setting in the URL.
    [[nodiscard]] bool is_set_by_user(std::string_view setting) const noexcept {
        return target_.has_own_time_zone && setting == "TimeZone";
    }
    /// Reconnects without startup options, which a pooler may reject. Returns false when they are not the cause.
    [[nodiscard]] bool retry_without_options(connection& c, const std::string& message) noexcept;
    void on_connected(connection& c) noexcept;
    void on_connect_failed(connection& c, const std::string& message) noexcept;
    void on_cancel_done(std::uint64_t id) noexcept;
    /// Schedules a run over the queues and the connections.
    void schedule_work() noexcept;

    /// A connection is corked until the end of the turn.
    void mark_corked() noexcept { corked_ = true; }

    // Used by sessions.
    void register_session(leased_session& s) noexcept;

private:
    struct deferred_work final : posted_task {
        explicit deferred_work(pool& p) noexcept : owner(p) {}
        void run_on_loop() noexcept override;
        pool& owner;
    };
    struct pool_timer final : timer {
        pool_timer(pool& p, function f) noexcept : timer(f), owner(p) {}
        pool& owner;
    };
    struct dedicated_connection {
        std::unique_ptr<connection> conn;
        connection_waiter* requester = nullptr;
    };

    [[nodiscard]] connection* choose_connection(const statement& s) noexcept;
    [[nodiscard]] connection* choose_among_first(std::size_t count) noexcept;
    [[nodiscard]] connection* find_idle() noexcept;
    void before_wait() noexcept override;
    void serve_queues() noexcept;
    void remove_closed() noexcept;
    [[nodiscard]] bool serve_connection_waiter() noexcept;
    [[nodiscard]] bool serve_queue() noexcept;
    void reserve_connections() noexcept;
    void record_wait(instant t) noexcept;
    void open_connections(std::size_t needed) noexcept;
    [[nodiscard]] std::unique_ptr<connection> make_connection();
    void start_connect(connection& c);
    void start_connect_to(connection& c, const connect_parameters& to);
    void on_resolved(std::optional<connect_parameters> found, const std::string& message) noexcept;
    void fail_all(const std::exception_ptr& failure) noexcept;
    void fail_timed_out() noexcept;
    [[nodiscard]] std::exception_ptr timeout_error() const;
    void arm_wait_timer() noexcept;
    void close_idle() noexcept;
    [[nodiscard]] bool has_ready_connection() const noexcept;

    connect_target target_;
    options limits_;
    event_loop& loop_;
    blocking_calls blocking_calls_;
    encoder parameter_encoder_;
    statement_latency latencies_;
    std::vector<std::unique_ptr<connection>> connections_;
    std::vector<dedicated_connection> dedicated_connections_;
    std::uint64_t last_id_ = 0;

    intrusive_list<pending_query> queue_;
    std::size_t queue_length_ = 0;
    intrusive_list<connection_waiter> connection_waiters_;
    std::size_t connection_waiter_count_ = 0;
    std::uint64_t queries_ = 0;
    std::uint64_t waits_ = 0;
    clock::duration total_wait_{0};
    intrusive_list<list_node> sessions_;

    deferred_work deferred_work_;
    bool work_scheduled_ = false;
    bool corked_ = false;
    pool_timer wait_timer_;
    pool_timer retry_timer_;
    pool_timer idle_timer_;

    // Connecting.
    bool startup_options_accepted_ = true;
    bool named_statements_work_ = true;
    connect_parameters addresses_;
    instant addresses_expire_at_{};
    bool resolving_ = false;
    int connect_failures_ = 0;
    instant retry_at_{};
    instant down_since_ = instant::max();
    std::string last_failure_;
    std::string last_code_;
};

}  // namespace rondo::db::postgres
