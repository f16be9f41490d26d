// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/pending_query.hpp>

#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

pending_query::pending_query(pool& p, statement s, const parameters& values, connection* target) noexcept
    : waiter([](waiter& self) noexcept { static_cast<pending_query&>(self).withdraw(); }),
      pool_(p),
      statement_(s),
      values_(values),
      target_(target) {}

pending_query::~pending_query() {
    if (state != query_state::none) withdraw();
}

void pending_query::enqueue() { pool_.submit(*this, target_); }

void pending_query::withdraw() noexcept {
    if (state == query_state::queued) pool_.remove_query();
    else if (state == query_state::sent) assigned_to->abandon(*this);
    state = query_state::none;
}

void pending_query::succeed(result_ptr r) noexcept {
    state = query_state::none;
    result_ = std::move(r);
    wake();
}

void pending_query::fail(std::exception_ptr failure) noexcept {
    state = query_state::none;
    failure_ = std::move(failure);
    wake();
}

result_ptr pending_query::await_resume() {
    check();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
}

}  // namespace rondo::db::postgres
