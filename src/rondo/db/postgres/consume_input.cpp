// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/consume_input.hpp>

#include <libpq-fe.h>
#include <openssl/ssl.h>

namespace rondo::db::postgres {

bool consume_input(pg_conn* conn) noexcept {
    auto* const ssl = static_cast<SSL*>(PQsslStruct(conn, "OpenSSL"));
    do {
        if (!PQconsumeInput(conn)) return false;
    } while (ssl && SSL_pending(ssl) > 0);
    return true;
}

}  // namespace rondo::db::postgres
