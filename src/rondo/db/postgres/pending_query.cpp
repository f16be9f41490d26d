// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/pending_query.hpp>

#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

command::command(pool& p, statement s, const parameters& values, connection* target) noexcept
    : waiter([](waiter& self) noexcept { static_cast<command&>(self).leave(); }),
      pool_(p),
      statement_(s),
      values_(values),
      target_(target) {}

command::~command() {
    if (where != place::nowhere) leave();
}

void command::enter() { pool_.submit(*this, target_); }

void command::leave() noexcept {
    if (where == place::line) pool_.left_line();
    else if (where == place::connection) on->abandon(*this);
    where = place::nowhere;
}

void command::succeed(result_ptr r) noexcept {
    where = place::nowhere;
    result_ = std::move(r);
    wake();
}

void command::fail(std::exception_ptr failure) noexcept {
    where = place::nowhere;
    failure_ = std::move(failure);
    wake();
}

result_ptr command::await_resume() {
    check();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
}

}  // namespace rondo::db::postgres
