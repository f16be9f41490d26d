// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/transaction.hpp>

#include <chrono>

#include <rondo/coro/blocking_scope.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db {

namespace {

// A database that does not answer may not hold a request for ever.
constexpr auto end_limit = std::chrono::seconds(10);

task<void> end_without_cancellation(task<void> ending) {
    event_loop& loop = event_loop::current();
    rondo::detail::bounded_context alone(nullptr, loop, from_now(end_limit));
    task<void> inner = std::move(ending);
    bool late = false;
    try {
        co_await rondo::detail::run_in_context<void>(inner, alone);
    } catch (const cancelled&) {
        late = true;
    }
    if (late)
        throw connection_lost("the database did not answer to COMMIT within 10 s: nobody knows whether it was done");
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
    task<void> ending = lease_.at().from_here(lease_->commit());
    co_await end_without_cancellation(std::move(ending));
    lease_.give_back();
}

task<void> transaction::rollback() {
    context* in = co_await this_context();
    const bool over = in && in->cancel.requested();
    if (!over) {
        try {
            co_await lease_.at().from_here(lease_->rollback());
        } catch (const std::exception&) {
            // What cannot be rolled back is rolled back by who takes the connection, or by its end.
        }
    }
    lease_.give_back();
}

void sync_transaction::begin(transaction_options o) { lease_.at().wait("sync_transaction::begin", lease_->begin(o)); }
void sync_transaction::commit() {
    const works_for nobody(nullptr);  // as above: its outcome is waited for
    lease_.at().wait("sync_transaction::commit", end_without_cancellation(lease_->commit()));
}
void sync_transaction::rollback() noexcept { lease_.give_back(); }

}  // namespace rondo::db
