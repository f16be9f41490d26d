// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_effect.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include <rondo/db/error.hpp>

namespace rondo::db::postgres {

namespace {

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Splits SQL into words, quoted identifiers and single other characters; empty at the end. Skips literals and comments.
// Follows PostgreSQL's lexical rules: manual, section 4.1.
class scanner {
public:
    explicit scanner(std::string_view sql) noexcept : rest_(sql) {}

    std::string_view next() noexcept {
        for (;;) {
            skip_blank();
            quoted_ = false;
            if (rest_.empty()) return {};
            const char c = rest_.front();
            if (c == '\'') skip_text('\'', false);
            else if (c == '$' && skip_dollars()) continue;
            else if (c == '"') return quoted_name();
            else if (!is_word(c)) return take(1);
            else if (const std::string_view w = word(); !w.empty()) return w;
        }
    }
    /// Whether the last token was quoted, hence not a keyword.
    [[nodiscard]] bool quoted() const noexcept { return quoted_; }

private:
    std::string_view take(std::size_t size) noexcept {
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(std::min(size, rest_.size()));
        return taken;
    }
    void skip_blank() noexcept {
        for (;;) {
            if (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
            else if (rest_.starts_with("--")) rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size()));
            else if (rest_.starts_with("/*")) skip_comment();
            else return;
        }
    }
    void skip_comment() noexcept {  // they nest
        int depth = 0;
        while (!rest_.empty()) {
            if (rest_.starts_with("/*")) ++depth, take(2);
            else if (rest_.starts_with("*/")) --depth, take(2);
            else take(1);
            if (depth == 0) return;
        }
    }
    void skip_text(char quote, bool backslashes) noexcept {
        take(1);
        while (!rest_.empty()) {
            const char c = take(1).front();
            if (c == '\\' && backslashes) take(1);
            if (c == quote && (rest_.empty() || take(rest_.front() == quote ? 1 : 0).empty())) return;
        }
    }
    bool skip_dollars() noexcept {
        std::size_t end = 1;
        while (end < rest_.size() && is_word(rest_[end])) ++end;
        const bool parameter = end > 1 && rest_[1] >= '0' && rest_[1] <= '9';
        if (parameter || end == rest_.size() || rest_[end] != '$') return false;
        const std::string_view tag = take(end + 1);
        const std::size_t close = rest_.find(tag);
        take(close == std::string_view::npos ? rest_.size() : close + tag.size());
        return true;
    }
    std::string_view quoted_name() noexcept {
        quoted_ = true;
        const std::string_view from = rest_;
        skip_text('"', false);
        const std::size_t size = from.size() - rest_.size();
        return from.substr(0, size);
    }
    std::string_view word() noexcept {
        std::size_t end = 0;
        while (end < rest_.size() && (is_word(rest_[end]) || (end > 0 && rest_[end] == '$'))) ++end;
        const std::string_view w = take(end);
        const char prefix = w.size() == 1 ? lower(w.front()) : '\0';
        const bool literal = prefix == 'e' || prefix == 'b' || prefix == 'x' || prefix == 'n';
        if (!literal || !rest_.starts_with('\'')) return w;
        skip_text('\'', prefix == 'e');
        return {};
    }

    std::string_view rest_;
    bool quoted_ = false;
};

bool same(std::string_view word, std::string_view lower_case) noexcept {
    return std::ranges::equal(word, lower_case, {}, lower);
}
bool any_of(std::string_view word, std::initializer_list<std::string_view> all) noexcept {
    return std::ranges::any_of(all, [&](std::string_view one) { return same(word, one); });
}

std::string_view first_word(scanner& words) noexcept {
    std::string_view word = words.next();
    while (word == ";") word = words.next();
    return words.quoted() ? std::string_view() : word;
}

effect end_of_transaction(scanner& words) noexcept {
    std::string_view word = words.next();
    if (same(word, "prepared")) return effect::none;  // second phase of a two-phase commit: runs outside a transaction
    if (any_of(word, {"work", "transaction"})) word = words.next();
    return same(word, "to") ? effect::savepoint : effect::ends;
}

effect of_copy(scanner& words) noexcept {
    int depth = 0;
    bool way = false;  // after FROM or TO
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        if (w == "(") ++depth;
        if (w == ")") --depth;
        if (words.quoted() || depth > 0) {
            way = false;
            continue;
        }
        if (way && any_of(w, {"stdin", "stdout"})) return effect::copies;
        way = any_of(w, {"from", "to"});
    }
    return effect::none;
}

std::string_view unquoted(std::string_view name) noexcept {
    return name.size() > 2 && name.front() == '"' ? name.substr(1, name.size() - 2) : name;
}

// Side effects of the rest of a statement, from its second word: function calls, SELECT INTO, UPDATE of pg_settings.
effect of_content(scanner& words, std::string_view first) noexcept {
    std::string_view earlier;
    std::string_view before = first;
    bool updates = same(first, "update");
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        const std::string_view name = unquoted(w);
        const bool bare = !words.quoted();
        if (updates && same(name, "pg_settings")) return effect::sets;
        updates = (bare && same(w, "update")) || (updates && any_of(name, {"only", "(", "pg_catalog", "."}));
        const bool temporary = bare ? any_of(w, {"temp", "temporary", "pg_temp"}) : name == "pg_temp";
        if (temporary && same(before, "into") && !any_of(earlier, {"insert", "merge"})) return effect::session;
        if (w == "(" && same(before, "set_config")) return effect::configures;
        if (w == "(" &&
            any_of(before, {"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
                            "pg_try_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_shared"}))
            return effect::session;
        earlier = std::exchange(before, name);
    }
    return effect::none;
}

effect of_create(scanner& words) noexcept {
    std::string_view w = words.next();
    while (any_of(w, {"or", "replace", "local", "global"})) w = words.next();
    if (any_of(w, {"temp", "temporary"})) return effect::session;
    const bool table = same(w, "table");
    for (; !w.empty() && w != "(" && !same(w, "as"); w = words.next())
        if (same(unquoted(w), "pg_temp")) return effect::session;
    return table ? of_content(words, w) : effect::none;
}

effect of_declare(scanner& words) noexcept {
    std::string_view before;
    for (std::string_view w = words.next(); !w.empty() && !same(w, "for"); before = w, w = words.next())
        if (same(w, "hold") && same(before, "with")) return effect::session;
    return effect::none;
}

effect of_statement(scanner& words, std::string_view first) noexcept;

// EXPLAIN ANALYZE executes the statement.
effect of_explain(scanner& words) noexcept {
    int depth = 0;
    std::string_view w = words.next();
    while (!w.empty() && (depth > 0 || any_of(w, {"analyze", "analyse", "verbose", "("}))) {
        if (w == "(") ++depth;
        if (w == ")") --depth;
        if (depth < 0) break;
        w = words.next();
    }
    return of_statement(words, w);
}

[[noreturn]] void refuse(const char* sentence, const statement& s) { throw error(sentence, {}, std::string(s.text())); }

effect of_statement(scanner& words, std::string_view first) noexcept {
    if (any_of(first, {"begin", "start"})) return effect::begins;
    if (any_of(first, {"commit", "end", "rollback", "abort"})) return end_of_transaction(words);
    if (any_of(first, {"savepoint", "release"})) return effect::savepoint;
    if (same(first, "prepare")) return same(words.next(), "transaction") ? effect::ends : effect::prepares;
    if (same(first, "execute")) return effect::executes;
    if (same(first, "deallocate")) return same(words.next(), "all") ? effect::none : effect::prepares;
    if (same(first, "copy")) return of_copy(words);
    if (any_of(first, {"listen", "unlisten"})) return effect::listens;
    if (any_of(first, {"reset", "discard"})) return effect::sets;
    if (same(first, "set"))
        return any_of(words.next(), {"local", "transaction", "constraints"}) ? effect::sets_local : effect::sets;
    if (same(first, "create")) return of_create(words);
    if (same(first, "declare")) return of_declare(words);
    if (same(first, "explain")) return of_explain(words);
    if (any_of(first, {"do", "call"})) return effect::hidden;
    return of_content(words, first);
}

}  // namespace

effect effect_of(std::string_view sql) noexcept {
    scanner words(sql);
    return of_statement(words, first_word(words));
}

bool chains(std::string_view sql) noexcept {
    scanner words(sql);
    std::string_view before;
    for (std::string_view w = words.next(); !w.empty(); before = w, w = words.next())
        if (same(w, "chain") && same(before, "and")) return true;
    return false;
}

bool is_atomic(std::string_view sql) noexcept {
    scanner words(sql);
    return !any_of(first_word(words), {"call", "do", "execute"});
}

void refuse_zero_byte(std::string_view sql) {
    if (sql.find('\0') != std::string_view::npos)
        throw error("the statement contains a zero byte, which PostgreSQL does not accept", {}, std::string(sql));
}

void refuse_shared(const statement& s, effect e) {
    refuse_zero_byte(s.text());
    switch (e) {
        case effect::none:
        case effect::executes:  // fails: shared connections have no such names
        case effect::configures:
        case effect::hidden: return;
        case effect::begins:
        case effect::ends:
        case effect::savepoint:
            refuse(
                "a plain statement must not begin or end a transaction, because its connection is shared: use "
                "transaction()",
                s);
        case effect::copies: refuse("COPY is not a plain statement: use copy_in() or copy_out()", s);
        case effect::prepares:
            refuse(
                "a prepared statement belongs to one connection, but the next statement may run on another: run the "
                "statement itself, which is prepared automatically",
                s);
        case effect::sets:
            refuse(
                "a plain statement must not change connection settings, because its connection is shared: set them in "
                "the database URL (?options=-c%20name%3Dvalue), or use SET LOCAL in transaction()",
                s);
        case effect::sets_local:
            refuse("this statement has no effect outside a transaction: use it in transaction()", s);
        case effect::listens: refuse("LISTEN is not a plain statement: use listen()", s);
        case effect::session:
            refuse(
                "temporary tables, cursors and session-level advisory locks belong to one connection, but the next "
                "statement may run on another: use transaction(), with pg_advisory_xact_lock for a lock",
                s);
    }
}

void refuse_lent(const statement& s, effect e, bool begun) {
    refuse_zero_byte(s.text());
    if (e == effect::copies) refuse("COPY is not a plain statement: use copy_in() or copy_out()", s);
    if (begun && (e == effect::begins || e == effect::ends))
        refuse(
            "only transaction() begins and ends the transaction: return from its function to commit, throw to roll "
            "back",
            s);
}

}  // namespace rondo::db::postgres
