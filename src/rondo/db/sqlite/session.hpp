// SPDX-License-Identifier: Apache-2.0
// A connection to a file in the hands of one user: transactions, streams, scripts.
#pragma once

#include <memory>
#include <string_view>

#include <rondo/db/driver.hpp>
#include <rondo/db/sqlite/file_pool.hpp>

namespace rondo::db::sqlite {

[[nodiscard]] std::unique_ptr<session> make_session(file_lease lease);

/// A statement outside of transaction(): rolls back what it left open, which would hold everything that others write,
/// and throws error.
void refuse_left_open(file& f, std::string_view sql);

}  // namespace rondo::db::sqlite
