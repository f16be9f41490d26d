// SPDX-License-Identifier: Apache-2.0
// Exclusive use of an SQLite connection: transactions, streams and scripts.
#pragma once

#include <memory>
#include <string_view>

#include <rondo/db/driver.hpp>
#include <rondo/db/sqlite/file_pool.hpp>

namespace rondo::db::sqlite {

[[nodiscard]] std::unique_ptr<session> make_session(file_lease lease);

/// Called after a statement outside transaction(): when it left a transaction open, which would block all writers,
/// rolls it back and throws error.
void refuse_open_transaction(file& f, std::string_view sql);

}  // namespace rondo::db::sqlite
