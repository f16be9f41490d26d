// SPDX-License-Identifier: Apache-2.0
// Reads all input of a libpq connection, including what OpenSSL has buffered.
#pragma once

struct pg_conn;

namespace rondo::db::postgres {

/// Calls PQconsumeInput() until no input is left that poll() would not report: over TLS libpq may read part of a record
/// while the remainder is in OpenSSL's buffer. Returns false when the connection is broken.
[[nodiscard]] bool consume_input(pg_conn* conn) noexcept;

}  // namespace rondo::db::postgres
