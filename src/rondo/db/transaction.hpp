// SPDX-License-Identifier: Apache-2.0
// Transactions: what their bodies work with, and the functions that run them.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/db/session_lease.hpp>

namespace rondo::db {

namespace detail {

task<std::uint64_t> affected_rows(task<result> t);

/// Streams the rows of a statement over the leased connection `on`; null: over one acquired for it.
template <row_value T>
async_generator<T> stream_rows(database_state& state, session* on, statement s, parameters p) {
    session_lease own;
    if (!on) {
        own = co_await state.acquire(false);
        on = &*own;
    }
    const std::uint64_t stream = co_await state.run_on_loop(on->start_stream(s, std::move(p)));
    for (;;) {
        result batch = co_await state.run_on_loop(on->next_rows(stream));
        if (batch.empty()) break;
        const row_reader<T> reader(*batch.row_data());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            T read = reader.read(i);
            co_yield std::move(read);
        }
    }
}

}  // namespace detail

/// Passed to the body of a transaction. Its statements run one after another on one connection. Must not be used after
/// the body has returned.
class transaction {
public:
    explicit transaction(session_lease lease) noexcept : lease_(std::move(lease)) {}

    template <class... Values>
    [[nodiscard]] task<result> query(statement s, const Values&... values) {
        return lease_.state().run_on_loop(lease_->query(s, parameters(values...)));
    }
    template <class... Values>
    [[nodiscard]] task<result> query(dynamic_sql s, const Values&... values) {
        return query_dynamic(std::move(s), parameters(values...));
    }
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(statement s, const Values&... values) {
        return detail::affected_rows(query(s, values...));
    }
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(dynamic_sql s, const Values&... values) {
        return detail::affected_rows(query(std::move(s), values...));
    }
    /// Like database::stream. Nothing else can run in the transaction until the stream is read to its end.
    template <row_value T, class... Values>
    [[nodiscard]] async_generator<T> stream(statement s, const Values&... values) {
        return detail::stream_rows<T>(lease_.state(), &*lease_, s, parameters(values...));
    }
    /// Runs several statements, separated by semicolons, without parameters.
    [[nodiscard]] task<void> execute_script(std::string sql);

    /// Called by database::transaction.
    [[nodiscard]] task<void> begin(transaction_options o);
    /// Not interrupted by a cancellation: once COMMIT is sent, its outcome is awaited.
    [[nodiscard]] task<void> commit();
    /// Rolls back, and waits for it unless the context is cancelled. Throws nothing but `cancelled`.
    [[nodiscard]] task<void> rollback();

private:
    [[nodiscard]] task<result> query_dynamic(dynamic_sql s, parameters p);

    session_lease lease_;
};

/// A transaction for threads that may block.
class sync_transaction {
public:
    explicit sync_transaction(session_lease lease) noexcept : lease_(std::move(lease)) {}

    template <class... Values>
    result query(statement s, const Values&... values) {
        return lease_.state().run_and_wait("sync_transaction::query", lease_->query(s, parameters(values...)));
    }
    template <class... Values>
    std::uint64_t execute(statement s, const Values&... values) {
        return query(s, values...).affected();
    }

    void begin(transaction_options o);
    /// Like transaction::commit: not interrupted by a cancellation.
    void commit();
    void rollback() noexcept;

private:
    session_lease lease_;
};

namespace detail {

template <class T>
struct task_value;
template <class T>
struct task_value<task<T>> {
    using type = T;
};
template <class Body, class... Values>
using transaction_value = typename task_value<std::invoke_result_t<Body&, transaction&, Values...>>::type;

template <class Body, class... Values>
task<transaction_value<Body, Values...>> run_transaction(database_state& state, transaction_options o, Body body,
                                                         Values... values) {
    using value_type = transaction_value<Body, Values...>;
    session_lease lease = co_await state.acquire(!o.read_only);
    transaction tx(std::move(lease));
    co_await tx.begin(o);
    std::exception_ptr failure;
    std::conditional_t<std::is_void_v<value_type>, char, std::optional<value_type>> value{};
    try {
        if constexpr (std::is_void_v<value_type>) co_await body(tx, std::move(values)...);
        else value.emplace(co_await body(tx, std::move(values)...));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        co_await tx.rollback();
        std::rethrow_exception(failure);
    }
    co_await tx.commit();
    if constexpr (!std::is_void_v<value_type>) co_return std::move(*value);
}

template <class Body>
auto run_transaction_sync(database_state& state, transaction_options o, Body&& body) {
    using value_type = std::invoke_result_t<Body&, sync_transaction&>;
    sync_transaction tx(state.run_and_wait("database::transaction_sync", state.acquire_on_loop(!o.read_only)));
    tx.begin(o);
    try {
        if constexpr (std::is_void_v<value_type>) {
            body(tx);
            tx.commit();
        } else {
            value_type value = body(tx);
            tx.commit();
            return value;
        }
    } catch (...) {
        tx.rollback();
        throw;
    }
}

}  // namespace detail

}  // namespace rondo::db
