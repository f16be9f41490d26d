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
bool is_word_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}
char to_lower_ascii(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Splits SQL into words, quoted identifiers and single other characters; empty at the end. Skips literals and comments.
// Follows PostgreSQL's lexical rules: manual, section 4.1.
class scanner {
public:
    explicit scanner(std::string_view sql) noexcept : remaining_(sql) {}

    std::string_view next() noexcept {
        for (;;) {
            skip_space_and_comments();
            was_quoted_ = false;
            if (remaining_.empty()) return {};
            const char c = remaining_.front();
            if (c == '\'') skip_quoted('\'', false);
            else if (c == '$' && skip_dollar_quoted()) continue;
            else if (c == '"') return read_quoted_name();
            else if (!is_word_char(c)) return consume(1);
            else if (const std::string_view w = read_word(); !w.empty()) return w;
        }
    }
    /// Whether the last token was quoted, hence not a keyword.
    [[nodiscard]] bool was_quoted() const noexcept { return was_quoted_; }

private:
    std::string_view consume(std::size_t size) noexcept {
        const std::string_view token = remaining_.substr(0, size);
        remaining_.remove_prefix(std::min(size, remaining_.size()));
        return token;
    }
    void skip_space_and_comments() noexcept {
        for (;;) {
            if (!remaining_.empty() && is_space(remaining_.front())) remaining_.remove_prefix(1);
            else if (remaining_.starts_with("--"))
                remaining_.remove_prefix(std::min(remaining_.find_first_of("\r\n"), remaining_.size()));
            else if (remaining_.starts_with("/*")) skip_comment();
            else return;
        }
    }
    void skip_comment() noexcept {  // they nest
        int depth = 0;
        while (!remaining_.empty()) {
            if (remaining_.starts_with("/*")) ++depth, consume(2);
            else if (remaining_.starts_with("*/")) --depth, consume(2);
            else consume(1);
            if (depth == 0) return;
        }
    }
    void skip_quoted(char quote, bool backslashes) noexcept {
        consume(1);
        while (!remaining_.empty()) {
            const char c = consume(1).front();
            if (c == '\\' && backslashes) consume(1);
            if (c == quote && (remaining_.empty() || consume(remaining_.front() == quote ? 1 : 0).empty())) return;
        }
    }
    bool skip_dollar_quoted() noexcept {
        std::size_t end = 1;
        while (end < remaining_.size() && is_word_char(remaining_[end])) ++end;
        const bool parameter = end > 1 && remaining_[1] >= '0' && remaining_[1] <= '9';
        if (parameter || end == remaining_.size() || remaining_[end] != '$') return false;
        const std::string_view tag = consume(end + 1);
        const std::size_t close = remaining_.find(tag);
        consume(close == std::string_view::npos ? remaining_.size() : close + tag.size());
        return true;
    }
    std::string_view read_quoted_name() noexcept {
        was_quoted_ = true;
        const std::string_view from = remaining_;
        skip_quoted('"', false);
        const std::size_t size = from.size() - remaining_.size();
        return from.substr(0, size);
    }
    std::string_view read_word() noexcept {
        std::size_t end = 0;
        while (end < remaining_.size() && (is_word_char(remaining_[end]) || (end > 0 && remaining_[end] == '$'))) ++end;
        const std::string_view w = consume(end);
        const char prefix = w.size() == 1 ? to_lower_ascii(w.front()) : '\0';
        const bool literal = prefix == 'e' || prefix == 'b' || prefix == 'x' || prefix == 'n';
        if (!literal || !remaining_.starts_with('\'')) return w;
        skip_quoted('\'', prefix == 'e');
        return {};
    }

    std::string_view remaining_;
    bool was_quoted_ = false;
};

bool equals_ignoring_case(std::string_view word, std::string_view lower_case) noexcept {
    return std::ranges::equal(word, lower_case, {}, to_lower_ascii);
}
bool matches_any(std::string_view word, std::initializer_list<std::string_view> candidates) noexcept {
    return std::ranges::any_of(candidates,
                               [&](std::string_view candidate) { return equals_ignoring_case(word, candidate); });
}

std::string_view first_word(scanner& words) noexcept {
    std::string_view word = words.next();
    while (word == ";") word = words.next();
    return words.was_quoted() ? std::string_view() : word;
}

effect effect_of_transaction_end(scanner& words) noexcept {
    std::string_view word = words.next();
    if (equals_ignoring_case(word, "prepared"))
        return effect::none;  // second phase of a two-phase commit: runs outside a transaction
    if (matches_any(word, {"work", "transaction"})) word = words.next();
    return equals_ignoring_case(word, "to") ? effect::savepoint : effect::ends;
}

effect effect_of_copy(scanner& words) noexcept {
    int depth = 0;
    bool after_direction = false;  // after FROM or TO
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        if (w == "(") ++depth;
        if (w == ")") --depth;
        if (words.was_quoted() || depth > 0) {
            after_direction = false;
            continue;
        }
        if (after_direction && matches_any(w, {"stdin", "stdout"})) return effect::copies;
        after_direction = matches_any(w, {"from", "to"});
    }
    return effect::none;
}

std::string_view unquote(std::string_view name) noexcept {
    return name.size() > 2 && name.front() == '"' ? name.substr(1, name.size() - 2) : name;
}

// Side effects of the rest of a statement, from its second word: function calls, SELECT INTO, UPDATE of pg_settings.
effect effect_of_content(scanner& words, std::string_view first) noexcept {
    std::string_view earlier;
    std::string_view before = first;
    bool updates = equals_ignoring_case(first, "update");
    for (std::string_view w = words.next(); !w.empty(); w = words.next()) {
        const std::string_view name = unquote(w);
        const bool bare = !words.was_quoted();
        if (updates && equals_ignoring_case(name, "pg_settings")) return effect::sets;
        updates = (bare && equals_ignoring_case(w, "update")) ||
                  (updates && matches_any(name, {"only", "(", "pg_catalog", "."}));
        const bool temporary = bare ? matches_any(w, {"temp", "temporary", "pg_temp"}) : name == "pg_temp";
        if (temporary && equals_ignoring_case(before, "into") && !matches_any(earlier, {"insert", "merge"}))
            return effect::session_state;
        if (w == "(" && equals_ignoring_case(before, "set_config")) return effect::configures;
        if (w == "(" &&
            matches_any(before, {"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
                                 "pg_try_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_shared"}))
            return effect::session_state;
        earlier = std::exchange(before, name);
    }
    return effect::none;
}

effect effect_of_create(scanner& words) noexcept {
    std::string_view w = words.next();
    while (matches_any(w, {"or", "replace", "local", "global"})) w = words.next();
    if (matches_any(w, {"temp", "temporary"})) return effect::session_state;
    const bool table = equals_ignoring_case(w, "table");
    for (; !w.empty() && w != "(" && !equals_ignoring_case(w, "as"); w = words.next())
        if (equals_ignoring_case(unquote(w), "pg_temp")) return effect::session_state;
    return table ? effect_of_content(words, w) : effect::none;
}

effect effect_of_declare(scanner& words) noexcept {
    std::string_view before;
    for (std::string_view w = words.next(); !w.empty() && !equals_ignoring_case(w, "for"); before = w, w = words.next())
        if (equals_ignoring_case(w, "hold") && equals_ignoring_case(before, "with")) return effect::session_state;
    return effect::none;
}

effect effect_of_statement(scanner& words, std::string_view first) noexcept;

// EXPLAIN ANALYZE executes the statement.
effect effect_of_explain(scanner& words) noexcept {
    int depth = 0;
    std::string_view w = words.next();
    while (!w.empty() && (depth > 0 || matches_any(w, {"analyze", "analyse", "verbose", "("}))) {
        if (w == "(") ++depth;
        if (w == ")") --depth;
        if (depth < 0) break;
        w = words.next();
    }
    return effect_of_statement(words, w);
}

[[noreturn]] void throw_refusal(const char* sentence, const statement& s) {
    throw error(sentence, {}, std::string(s.text()));
}

effect effect_of_statement(scanner& words, std::string_view first) noexcept {
    if (matches_any(first, {"begin", "start"})) return effect::begins;
    if (matches_any(first, {"commit", "end", "rollback", "abort"})) return effect_of_transaction_end(words);
    if (matches_any(first, {"savepoint", "release"})) return effect::savepoint;
    if (equals_ignoring_case(first, "prepare"))
        return equals_ignoring_case(words.next(), "transaction") ? effect::ends : effect::prepares;
    if (equals_ignoring_case(first, "execute")) return effect::executes;
    if (equals_ignoring_case(first, "deallocate"))
        return equals_ignoring_case(words.next(), "all") ? effect::none : effect::prepares;
    if (equals_ignoring_case(first, "copy")) return effect_of_copy(words);
    if (matches_any(first, {"listen", "unlisten"})) return effect::listens;
    if (matches_any(first, {"reset", "discard"})) return effect::sets;
    if (equals_ignoring_case(first, "set"))
        return matches_any(words.next(), {"local", "transaction", "constraints"}) ? effect::sets_local : effect::sets;
    if (equals_ignoring_case(first, "create")) return effect_of_create(words);
    if (equals_ignoring_case(first, "declare")) return effect_of_declare(words);
    if (equals_ignoring_case(first, "explain")) return effect_of_explain(words);
    if (matches_any(first, {"do", "call"})) return effect::opaque;
    return effect_of_content(words, first);
}

}  // namespace

effect effect_of(std::string_view sql) noexcept {
    scanner words(sql);
    return effect_of_statement(words, first_word(words));
}

bool has_and_chain(std::string_view sql) noexcept {
    scanner words(sql);
    std::string_view before;
    for (std::string_view w = words.next(); !w.empty(); before = w, w = words.next())
        if (equals_ignoring_case(w, "chain") && equals_ignoring_case(before, "and")) return true;
    return false;
}

bool is_atomic(std::string_view sql) noexcept {
    scanner words(sql);
    return !matches_any(first_word(words), {"call", "do", "execute"});
}

void refuse_zero_byte(std::string_view sql) {
    if (sql.find('\0') != std::string_view::npos)
        throw error("the statement contains a zero byte, which PostgreSQL does not accept", {}, std::string(sql));
}

void refuse_on_shared(const statement& s, effect e) {
    refuse_zero_byte(s.text());
    switch (e) {
        case effect::none:
        case effect::executes:  // fails: shared connections have no such names
        case effect::configures:
        case effect::opaque: return;
        case effect::begins:
        case effect::ends:
        case effect::savepoint:
            throw_refusal(
                "a plain statement must not begin or end a transaction, because its connection is shared: use "
                "transaction()",
                s);
        case effect::copies: throw_refusal("COPY is not a plain statement: use copy_in() or copy_out()", s);
        case effect::prepares:
            throw_refusal(
                "a prepared statement belongs to one connection, but the next statement may run on another: run the "
                "statement itself, which is prepared automatically",
                s);
        case effect::sets:
            throw_refusal(
                "a plain statement must not change connection settings, because its connection is shared: set them in "
                "the database URL (?options=-c%20name%3Dvalue), or use SET LOCAL in transaction()",
                s);
        case effect::sets_local:
            throw_refusal("this statement has no effect outside a transaction: use it in transaction()", s);
        case effect::listens: throw_refusal("LISTEN is not a plain statement: use listen()", s);
        case effect::session_state:
            throw_refusal(
                "temporary tables, cursors and session-level advisory locks belong to one connection, but the next "
                "statement may run on another: use transaction(), with pg_advisory_xact_lock for a lock",
                s);
    }
}

void refuse_on_leased(const statement& s, effect e, bool in_transaction) {
    refuse_zero_byte(s.text());
    if (e == effect::copies) throw_refusal("COPY is not a plain statement: use copy_in() or copy_out()", s);
    if (in_transaction && (e == effect::begins || e == effect::ends))
        throw_refusal(
            "only transaction() begins and ends the transaction: return from its function to commit, throw to roll "
            "back",
            s);
}

}  // namespace rondo::db::postgres
