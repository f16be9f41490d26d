// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/sanitized_forwarded.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <rondo/http/authority.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo::http {

namespace {

bool all_in_class(std::string_view text, characters::character_class expected) noexcept {
    return !text.empty() && std::ranges::all_of(text, [expected](char c) { return characters::is(c, expected); });
}

// "_" 1*( ALPHA / DIGIT / "." / "_" / "-" )
bool is_obfuscated(std::string_view text) noexcept {
    if (!text.starts_with('_') || text.size() < 2) return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    });
}

bool is_port(std::string_view text) noexcept {
    return is_obfuscated(text) || (text.size() <= 5 && all_in_class(text, characters::digit));
}

// node of RFC 7239 section 6
bool is_node(std::string_view text) noexcept {
    std::string_view name = text;
    std::string_view after;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return false;
        name = text.substr(1, close - 1);
        after = text.substr(close + 1);
        if (name.find(':') == std::string_view::npos || !ip_address::parse(name)) return false;
    } else {
        const std::size_t colon = text.find(':');
        name = text.substr(0, colon);
        if (colon != std::string_view::npos) after = text.substr(colon);
        if (!equals_ignore_case(name, "unknown") && !is_obfuscated(name) && !ip_address::parse(name)) return false;
    }
    return after.empty() || (after[0] == ':' && is_port(after.substr(1)));
}

// X-Forwarded-For also allows IPv6 addresses without brackets.
bool is_forwarded_for(std::string_view text) noexcept { return is_node(text) || ip_address::parse(text).has_value(); }

// ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
bool is_scheme(std::string_view text) noexcept {
    const char first = text.empty() ? '0' : characters::to_lower(text[0]);
    return first >= 'a' && first <= 'z' && text.find_first_of("!#$%&'*^_`|~") == std::string_view::npos &&
           all_in_class(text, characters::token);
}

// The token or the text between quotes; std::nullopt for anything else.
std::optional<std::string_view> unquoted_value(std::string_view text) noexcept {
    const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
    if (!quoted) return all_in_class(text, characters::token) ? std::optional(text) : std::nullopt;
    text = text.substr(1, text.size() - 2);
    if (text.find_first_of("\"\\,;") != std::string_view::npos) return std::nullopt;
    return text;
}

bool is_valid_value(std::string_view name, std::string_view value) noexcept {
    if (equals_ignore_case(name, "for") || equals_ignore_case(name, "by")) return is_node(value);
    if (equals_ignore_case(name, "proto")) return is_scheme(value);
    if (equals_ignore_case(name, "host")) return is_valid_authority(value);
    return true;
}

// forwarded-pair of RFC 7239 section 4, with a name not in `names`, to which it is added.
bool is_pair(std::string_view pair, std::vector<std::string_view>& names) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = pair.substr(0, equals);
    const auto value = unquoted_value(pair.substr(equals + 1));
    if (!is_valid_token(name) || !value || !is_valid_value(name, *value)) return false;
    if (std::ranges::any_of(names, [name](auto other) { return equals_ignore_case(name, other); })) return false;
    names.push_back(name);
    return true;
}

bool is_element(std::string_view text) {
    std::vector<std::string_view> names;
    for (;;) {
        const std::size_t end = text.find(';');
        const std::string_view pair = trimmed(text.substr(0, end));
        if (!pair.empty() && !is_pair(pair, names)) return false;
        if (end == std::string_view::npos) return !names.empty();
        text.remove_prefix(end + 1);
    }
}

// A comma within quotes separates too: an opening quote sent by a client must not swallow what a proxy appended.
template <class Is>
std::string sanitized_list(const fields_view& fields, std::string_view name, Is is_valid_part) {
    std::string list;
    for (std::string_view remaining : fields.find_all(name)) {
        for (bool last = false; !last;) {
            const std::size_t comma = remaining.find(',');
            last = comma == std::string_view::npos;
            const std::string_view part = trimmed(remaining.substr(0, comma));
            if (!last) remaining.remove_prefix(comma + 1);
            if (part.empty()) continue;
            if (!is_valid_part(part)) list.clear();
            else (list += list.empty() ? "" : ", ") += part;
        }
    }
    return list;
}

}  // namespace

std::string sanitized_forwarded_for(const fields_view& fields) {
    return sanitized_list(fields, "X-Forwarded-For", is_forwarded_for);
}

std::string sanitized_forwarded(const fields_view& fields) { return sanitized_list(fields, "Forwarded", is_element); }

std::string forwarded_for_node(std::string_view address) {
    const auto ip = ip_address::parse(address);
    return ip ? ip->text() : "unknown";
}

std::string forwarded_node(std::string_view address) {
    const std::string node = forwarded_for_node(address);
    return node.find(':') == std::string::npos ? node : fmt::format("\"[{}]\"", node);
}

}  // namespace rondo::http
