// SPDX-License-Identifier: Apache-2.0
#pragma once

struct pg_conn;

namespace rondo::db::postgres {

/// PQconsumeInput() until nothing is left that poll() would not tell of: over TLS libpq may take a part of a record,
/// and the rest waits in OpenSSL, not in the socket. False when the connection broke.
[[nodiscard]] bool take_input(pg_conn* from) noexcept;

}  // namespace rondo::db::postgres
