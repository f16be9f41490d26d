// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/errors.hpp>

#include <libpq-fe.h>

#include <algorithm>

#include <fmt/format.h>

#include <rondo/db/error.hpp>

namespace rondo::db::postgres {

namespace {

std::string error_field(const pg_result* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text ? text : "";
}

std::string error_hint(std::string_view code) {
    if (code == "42P01") return ": create the table with a migration (APP migrate), or correct its name";
    if (code == "42703") return ": add the column with a migration (APP migrate), or correct its name";
    if (code == "42501") return ": grant the privilege to the user of the database URL";
    return {};
}

std::string message_of(const pg_result* result, std::string_view code) {
    std::string text = error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (const std::string detail = error_field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty())
        text += " (" + detail + ")";
    if (const std::string hint = error_field(result, PG_DIAG_MESSAGE_HINT); !hint.empty()) text += "; " + hint;
    return fmt::format("PostgreSQL: {}{} [{}]", to_single_line(text), error_hint(code), code);
}

// The SQLSTATE in "FATAL:  28P01: password authentication failed". The word before it may be translated, its position
// is fixed.
std::string find_sqlstate(std::string_view message) {
    for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
        const std::string_view code = message.substr(at + 3, 5);
        if (code.size() < 5 || message.substr(at + 8, 1) != ":") continue;
        const bool is_sqlstate =
            std::ranges::all_of(code, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
        if (is_sqlstate) return std::string(code);
    }
    return {};
}

std::string_view connect_hint(std::string_view code, std::string_view message) {
    if (code == "28P01") return "correct the user or the password in the database URL";
    if (code.starts_with("28")) return "correct the user in the database URL, or allow it in the server's pg_hba.conf";
    if (code == "3D000") return "create the database (createdb NAME), or correct its name in the database URL";
    if (code == "53300")
        return "reduce the connections of the application (all its processes together), or raise the server's "
               "max_connections";
    if (code == "57P03") return "wait until the server has started";
    if (code == "08P01")
        return "see the log of the pooler in between; list startup parameters that it does not know in its "
               "ignore_startup_parameters";
    if (!code.empty()) return "see the server's log, and check the database URL";
    // Messages of libpq and the system, matched only to choose the advice.
    if (message.find("certificate verify failed") != std::string_view::npos)
        return "set sslrootcert in the database URL to the certificate authority of the server";
    if (message.find("does not match host name") != std::string_view::npos)
        return "use the host name in the server's certificate";
    if (message.find("does not support SSL") != std::string_view::npos)
        return "enable TLS (ssl = on) in the server, or correct sslmode in the database URL";
    if (message.find("Connection refused") != std::string_view::npos ||
        message.find("No such file") != std::string_view::npos)
        return "start PostgreSQL, or correct host and port in the database URL";
    if (message.starts_with("invalid ")) return "correct this option in the database URL";
    if (message.find("translate host name") != std::string_view::npos) return "correct the host in the database URL";
    return "see the server's log, and check the database URL";
}

}  // namespace

std::string to_single_line(std::string_view message) {
    std::string out;
    for (char c : message) {
        if (c == '\n' || c == '\t') c = ' ';
        if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
        out += c;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

std::exception_ptr make_error(const pg_result* result, std::string_view statement) {
    const std::string code = error_field(result, PG_DIAG_SQLSTATE);
    const std::string message = message_of(result, code);
    std::string sql(statement);
    if (code.starts_with("23")) {
        const std::string constraint = error_field(result, PG_DIAG_CONSTRAINT_NAME);
        if (code == "23505") return std::make_exception_ptr(unique_violation(message, code, sql, constraint));
        if (code == "23503") return std::make_exception_ptr(foreign_key_violation(message, code, sql, constraint));
        return std::make_exception_ptr(constraint_violation(message, code, sql, constraint));
    }
    if (code == "40001" || code == "40P01") return std::make_exception_ptr(transaction_conflict(message, code, sql));
    if (code == "57014" || code == "55P03") return std::make_exception_ptr(statement_cancelled(message, code, sql));
    // The server closes the connection after one of these.
    if (code.starts_with("57P")) return std::make_exception_ptr(connection_lost(message, code, sql));
    return std::make_exception_ptr(error(message, code, sql));
}

std::exception_ptr make_connection_lost(std::string_view statement, std::string_view why) {
    return std::make_exception_ptr(connection_lost(
        fmt::format("the connection to PostgreSQL was lost while a statement was running; it is unknown whether the "
                    "statement took effect: {}",
                    to_single_line(why)),
        {}, std::string(statement)));
}

connect_failure explain_connect_failure(std::string_view message, std::string_view url) {
    connect_failure f;
    f.code = find_sqlstate(message);
    const std::size_t location = message.find("\nLOCATION:");
    f.message = fmt::format("cannot connect to {}: {}: {}", url, to_single_line(message.substr(0, location)),
                            connect_hint(f.code, message));
    f.permanent = f.code.starts_with("28") || f.code == "3D000";
    return f;
}

}  // namespace rondo::db::postgres
