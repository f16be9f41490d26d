// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/db/statement.hpp>

namespace rondo::db::postgres {

/// What a statement does to the connection it runs on, as its words tell.
enum class effect : std::uint8_t {
    none,
    begins,      ///< BEGIN, START TRANSACTION
    ends,        ///< COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION
    savepoint,   ///< SAVEPOINT, RELEASE, ROLLBACK TO
    copies,      ///< COPY with STDIN or STDOUT
    prepares,    ///< PREPARE, DEALLOCATE of a name
    executes,    ///< EXECUTE
    sets,        ///< SET, RESET, DISCARD, UPDATE pg_settings
    sets_local,  ///< SET LOCAL, SET TRANSACTION, SET CONSTRAINTS
    configures,  ///< calls set_config()
    hidden,      ///< DO, CALL: what they do inside is not seen
    listens,     ///< LISTEN, UNLISTEN
    session,     ///< makes a temporary table or a cursor WITH HOLD, or takes an advisory lock of the session
};

/// Comments, empty statements and letter case do not matter; what stands in quotes does not count.
[[nodiscard]] effect effect_of(std::string_view sql) noexcept;

/// Whether it holds AND CHAIN, which ends a transaction and begins another.
[[nodiscard]] bool chains(std::string_view sql) noexcept;

/// Whether it is atomic outside of a transaction: CALL and DO may commit a part of their work, and EXECUTE runs
/// what the program prepared itself.
[[nodiscard]] bool is_atomic(std::string_view sql) noexcept;

/// Throws error for what may not run on a connection that others use at the same time.
void refuse_shared(const statement& s, effect e);
/// Throws error for what may not run on a lent connection as a plain statement: COPY, and within a transaction that
/// has begun what begins or ends one.
void refuse_lent(const statement& s, effect e, bool begun);
/// Throws error for a text with a zero byte, of which libpq would send a part.
void refuse_zero_byte(std::string_view sql);

}  // namespace rondo::db::postgres
