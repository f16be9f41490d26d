// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/forwarded.hpp>

#include <charconv>

#include <rondo/http/authority.hpp>
#include <rondo/http/characters.hpp>

namespace rondo::http {

namespace {

constexpr std::size_t most_hops = 100;

// Calls `visit` with the parts of the lists in all lines of this name, from the right, until it returns false. A comma
// within quotes counts too: no address, scheme or host holds one, and an opening quote that a client sent cannot
// swallow what a proxy wrote after it.
template <class Visit>
void from_right(const fields_view& fields, std::string_view lower_case, Visit visit) {
    for (std::size_t i = fields.size(); i-- > 0;) {
        const field line = fields[i];
        if (!same_ignoring_case(line.name, lower_case)) continue;
        for (std::string_view rest = line.value;;) {
            const std::size_t comma = rest.rfind(',');
            const std::string_view part = trimmed(comma == rest.npos ? rest : rest.substr(comma + 1));
            if (!part.empty() && !visit(part)) return;
            if (comma == rest.npos) break;
            rest = rest.substr(0, comma);
        }
    }
}

struct node {
    std::optional<ip_address> address;
    std::uint16_t port = 0;
};

// False for what is no port. An obfuscated one (RFC 7239 section 6.3) is one that is not told.
bool read_port(std::string_view text, std::uint16_t& port) noexcept {
    if (text.starts_with('_')) return true;
    const char* end = text.data() + text.size();
    auto [rest, error] = std::from_chars(text.data(), end, port);
    return error == std::errc{} && rest == end;
}

// 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80; no address for anything else.
node parse_node(std::string_view text) noexcept {
    node out;
    std::string_view address = text;
    std::string_view after;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == text.npos) return {};
        address = text.substr(1, end - 1);
        after = text.substr(end + 1);
        if (address.find(':') == address.npos) return {};
    } else if (const std::size_t colon = text.find(':'); colon != text.npos && colon == text.rfind(':')) {
        address = text.substr(0, colon);
        after = text.substr(colon);
    }
    if (!after.empty() && (after[0] != ':' || !read_port(after.substr(1), out.port))) return {};
    out.address = ip_address::parse(address);
    return out;
}

std::string_view known_scheme(std::string_view text) noexcept {
    if (same_ignoring_case(text, "https") || same_ignoring_case(text, "wss")) return "https";
    if (same_ignoring_case(text, "http") || same_ignoring_case(text, "ws")) return "http";
    return {};
}

std::string_view known_host(std::string_view text) noexcept {
    return valid_authority(text) ? text : std::string_view();
}

// A list that has fewer parts than there are proxies was replaced by one of them: then its first.
std::string_view from_right_at(const fields_view& fields, std::string_view lower_case, std::size_t depth) {
    std::string_view found;
    from_right(fields, lower_case, [&](std::string_view part) {
        found = part;
        return --depth > 0;
    });
    return found;
}

forwarded read_x_forwarded(const fields_view& fields, const allow_list& trusted) {
    forwarded out;
    std::size_t depth = 0;
    from_right(fields, "x-forwarded-for", [&](std::string_view part) {
        const node told = parse_node(part);
        if (!told.address) return false;
        out.client = told.address;
        out.port = told.port;
        return ++depth < most_hops && trusted.contains(*told.address);
    });
    if (depth == 0) depth = 1;
    out.scheme = known_scheme(from_right_at(fields, "x-forwarded-proto", depth));
    out.host = known_host(from_right_at(fields, "x-forwarded-host", depth));
    return out;
}

/// One element of Forwarded.
struct element {
    std::string_view node;
    std::string_view proto;
    std::string_view host;
};

// token or quoted-string; an escape is needed by nothing that counts here and is refused.
bool read_value(std::string_view text, std::string_view& to) noexcept {
    if (!to.empty()) return false;  // given twice
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        text = text.substr(1, text.size() - 2);
        if (text.find_first_of("\"\\") != text.npos) return false;
    } else {
        for (char c : text)
            if (!characters::is(c, characters::token)) return false;
    }
    to = text;
    return !text.empty();
}

// Of a pair, which may hold a ';' within quotes: a host may have one.
std::size_t end_of_pair(std::string_view text) noexcept {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        else if (text[i] == ';' && !quoted) return i;
    }
    return std::string_view::npos;
}

std::optional<element> parse_element(std::string_view text) noexcept {
    element out;
    for (std::string_view rest = text;;) {
        const std::size_t end = end_of_pair(rest);
        const std::string_view pair = trimmed(rest.substr(0, end));
        const std::size_t equals = pair.find('=');
        if (!pair.empty()) {
            if (equals == pair.npos || equals == 0) return std::nullopt;
            const std::string_view name = pair.substr(0, equals);
            std::string_view other;
            std::string_view& to = same_ignoring_case(name, "for")     ? out.node
                                   : same_ignoring_case(name, "proto") ? out.proto
                                   : same_ignoring_case(name, "host")  ? out.host
                                                                       : other;
            if (!read_value(pair.substr(equals + 1), to)) return std::nullopt;
        }
        if (end == rest.npos) return out;
        rest.remove_prefix(end + 1);
    }
}

forwarded read_rfc7239(const fields_view& fields, const allow_list& trusted) {
    forwarded out;
    std::size_t depth = 0;
    from_right(fields, "forwarded", [&](std::string_view part) {
        const auto told = parse_element(part);
        if (!told) return false;
        if (const auto scheme = known_scheme(told->proto); !scheme.empty()) out.scheme = scheme;
        if (const auto host = known_host(told->host); !host.empty()) out.host = host;
        const node from = parse_node(told->node);
        if (!from.address) return false;
        out.client = from.address;
        out.port = from.port;
        return ++depth < most_hops && trusted.contains(*from.address);
    });
    return out;
}

bool has_x_forwarded(const fields_view& fields) noexcept {
    return fields.contains("X-Forwarded-For") || fields.contains("X-Forwarded-Proto") ||
           fields.contains("X-Forwarded-Host");
}

}  // namespace

forwarded read_forwarded(const fields_view& fields, const allow_list& trusted, forwarded_fields which) {
    if (which == forwarded_fields::automatic && has_x_forwarded(fields)) which = forwarded_fields::x_forwarded;
    return which == forwarded_fields::x_forwarded ? read_x_forwarded(fields, trusted) : read_rfc7239(fields, trusted);
}

}  // namespace rondo::http
