// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/transaction.hpp>

#include <chrono>

#include <rondo/coro/blocking_wait_scope.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db {

namespace {

// A database that does not respond must not block a request forever.
constexpr auto commit_timeout = std::chrono::seconds(10);

task<void> commit_uncancelled(task<void> pending) {
    event_loop& loop = event_loop::current();
    rondo::detail::bounded_context commit_context(nullptr, loop, from_now(commit_timeout));
    task<void> inner = std::move(pending);
    bool late = false;
    try {
        co_await rondo::detail::run_in_context<void>(inner, commit_context);
    } catch (const cancelled&) {
        late = true;
    }
    if (late)
        throw connection_lost(
            "the database did not respond to COMMIT within 10 s; it is unknown whether it was committed");
}

}  // namespace

namespace detail {

task<std::uint64_t> affected_rows(task<result> t) {
    const result r = co_await std::move(t);
    co_return r.affected();
}

}  // namespace detail

task<result> transaction::query_dynamic(dynamic_sql s, parameters p) {
    co_return co_await lease_.state().run_on_loop(lease_->query(statement(s), std::move(p)));
}

task<void> transaction::execute_script(std::string sql) {
    co_await lease_.state().run_on_loop(lease_->execute_script(sql));
}

task<void> transaction::begin(transaction_options o) { return lease_.state().run_on_loop(lease_->begin(o)); }

task<void> transaction::commit() {
    task<void> pending = lease_.state().run_on_loop(lease_->commit());
    co_await commit_uncancelled(std::move(pending));
    lease_.release();
}

task<void> transaction::rollback() {
    task_context* current = co_await this_context();
    const bool is_cancelled = current && current->cancel.is_cancelled();
    if (!is_cancelled) {
        try {
            co_await lease_.state().run_on_loop(lease_->rollback());
        } catch (const std::exception&) {
            // Then the connection rolls back when it is released, or the database when it is closed.
        }
    }
    lease_.release();
}

void sync_transaction::begin(transaction_options o) {
    lease_.state().run_and_wait("sync_transaction::begin", lease_->begin(o));
}
void sync_transaction::commit() {
    const blocking_scope unbounded(nullptr);  // as above: its outcome is awaited
    lease_.state().run_and_wait("sync_transaction::commit", commit_uncancelled(lease_->commit()));
}
void sync_transaction::rollback() noexcept { lease_.release(); }

}  // namespace rondo::db
