// SPDX-License-Identifier: Apache-2.0
// error: no matching (member )?function
// A statement must be a literal, so that values cannot become part of the SQL.
#include <string>

#include <rondo/db/database.hpp>

rondo::task<void> find(rondo::db::database& database, std::string name) {
#ifdef CONTROL
    (void)co_await database.query("select * from people where name = $1", name);
#else
    (void)co_await database.query("select * from people where name = '" + name + "'");
#endif
}
