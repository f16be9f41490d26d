// SPDX-License-Identifier: Apache-2.0
// Exclusive use of a PostgreSQL connection: transactions, streams, COPY, scripts and LISTEN.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/db/driver.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

class pool;

/// A connection leased to one caller.
class leased_session final : public session, public list_node {
public:
    leased_session(pool& p, connection& c) noexcept;
    ~leased_session() override;
    /// Called when the pool is destroyed first.
    void detach() noexcept { connection_ = nullptr; }

    task<result> query(statement s, parameters p) override;
    task<void> begin(transaction_options o) override;
    task<void> commit() override;
    task<void> rollback() override;
    task<void> execute_script(std::string_view sql) override;
    task<std::uint64_t> start_stream(statement s, parameters p) override;
    task<result> next_rows(std::uint64_t stream) override;
    task<void> start_copy(statement s, copy_direction direction) override;
    task<void> write_copy(std::string_view bytes) override;
    task<std::uint64_t> end_copy() override;
    task<std::optional<std::string>> read_copy() override;
    task<notification> next_notification() override;

private:
    struct transaction_tags;

    [[nodiscard]] connection& require_connection() const;
    /// Records which session state the statement changes.
    void record_effect(effect e);
    task<result_ptr> run_query(statement s, parameters p);
    /// libpq in simple mode: send all pending output; wait for the next result (null after the last).
    task<void> flush(pg_conn* c);
    task<result_ptr> next_result(pg_conn* c);
    task<result_ptr> last_result(pg_conn* c, transaction_tags& tags);

    pool& pool_;
    connection* connection_;
    std::unique_ptr<connection::row_sink> sink_;  // of the latest stream
    std::uint64_t stream_number_ = 0;
    pg_conn* simple_conn_ = nullptr;
    bool transaction_open_ = false;
};

}  // namespace rondo::db::postgres
