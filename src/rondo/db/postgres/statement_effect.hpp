// SPDX-License-Identifier: Apache-2.0
// Classifies SQL statements by what they do to the connection they run on.
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/db/statement.hpp>

namespace rondo::db::postgres {

/// What a statement does to its connection, judging by its keywords.
enum class effect : std::uint8_t {
    none,
    begins,         ///< BEGIN, START TRANSACTION
    ends,           ///< COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION
    savepoint,      ///< SAVEPOINT, RELEASE, ROLLBACK TO
    copies,         ///< COPY with STDIN or STDOUT
    prepares,       ///< PREPARE, DEALLOCATE of a name
    executes,       ///< EXECUTE
    sets,           ///< SET, RESET, DISCARD, UPDATE pg_settings
    sets_local,     ///< SET LOCAL, SET TRANSACTION, SET CONSTRAINTS
    configures,     ///< calls set_config()
    opaque,         ///< DO, CALL: their body is not analysed
    listens,        ///< LISTEN, UNLISTEN
    session_state,  ///< temporary table, cursor WITH HOLD, session-level advisory lock
};

/// Classifies a statement. Ignores comments, empty statements, letter case and quoted text.
[[nodiscard]] effect effect_of(std::string_view sql) noexcept;

/// Whether the text contains AND CHAIN, which ends a transaction and begins another.
[[nodiscard]] bool has_and_chain(std::string_view sql) noexcept;

/// Whether the statement is atomic outside a transaction: CALL and DO may commit part of their work, and EXECUTE runs
/// what the program prepared.
[[nodiscard]] bool is_atomic(std::string_view sql) noexcept;

/// Throws error when the statement must not run on a connection shared with others.
void refuse_on_shared(const statement& s, effect e);
/// Throws error when the statement must not run as a plain statement on a leased connection: COPY, and in a transaction
/// started by transaction() whatever begins or ends one.
void refuse_on_leased(const statement& s, effect e, bool in_transaction);
/// Throws error for a text with a zero byte, which libpq would truncate.
void refuse_zero_byte(std::string_view sql);

}  // namespace rondo::db::postgres
