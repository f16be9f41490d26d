// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/transaction.hpp>

#include <chrono>

#include <rondo/coro/blocking_scope.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db {

namespace {

// A database that does not respond must not block a request forever.
constexpr auto end_limit = std::chrono::seconds(10);

task<void> end_without_cancellation(task<void> pending) {
    event_loop& loop = event_loop::current();
    rondo::detail::bounded_context commit_context(nullptr, loop, from_now(end_limit));
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

task<std::uint64_t> affected_of(task<result> t) {
    const result r = co_await std::move(t);
    co_return r.affected();
}

}  // namespace detail

task<result> transaction::query_dynamic(dynamic_sql s, parameters p) {
    co_return co_await lease_.at().from_here(lease_->query(statement(s), std::move(p)));
}

task<void> transaction::script(std::string sql) { co_await lease_.at().from_here(lease_->script(sql)); }

task<void> transaction::begin(transaction_options o) { return lease_.at().from_here(lease_->begin(o)); }

task<void> transaction::commit() {
    task<void> pending = lease_.at().from_here(lease_->commit());
    co_await end_without_cancellation(std::move(pending));
    lease_.give_back();
}

task<void> transaction::rollback() {
    context* current = co_await this_context();
    const bool is_cancelled = current && current->cancel.requested();
    if (!is_cancelled) {
        try {
            co_await lease_.at().from_here(lease_->rollback());
        } catch (const std::exception&) {
            // Then the connection rolls back when it is released, or the database when it is closed.
        }
    }
    lease_.give_back();
}

void sync_transaction::begin(transaction_options o) { lease_.at().wait("sync_transaction::begin", lease_->begin(o)); }
void sync_transaction::commit() {
    const works_for unbounded(nullptr);  // as above: its outcome is awaited
    lease_.at().wait("sync_transaction::commit", end_without_cancellation(lease_->commit()));
}
void sync_transaction::rollback() noexcept { lease_.give_back(); }

}  // namespace rondo::db
