// SPDX-License-Identifier: Apache-2.0
// error: no matching (member )?function

#include <string>

#include <rondo/db/database.hpp>

rondo::task<void> find(rondo::db::database& at, std::string name) {
#ifdef CONTROL
    (void)co_await at.query("select * from people where name = $1", name);
#else
    (void)co_await at.query("select * from people where name = '" + name + "'");
#endif
}
