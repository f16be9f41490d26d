// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/forwarded.hpp>

#include <rondo/base/parse_number.hpp>
#include <rondo/http/authority.hpp>
#include <rondo/http/characters.hpp>

namespace rondo::http {

namespace {

constexpr std::size_t max_hops = 100;

// Calls `visit` with the list elements in all lines of this name, from right to left, until it returns false. A comma
// within quotes separates too: no address, scheme or host contains one, and an opening quote sent by a client must not
// swallow what a proxy appended.
template <class Visit>
void for_each_from_right(const fields_view& fields, std::string_view lower_case, Visit visit) {
    for (std::size_t i = fields.size(); i-- > 0;) {
        const field line = fields[i];
        if (!equals_ignore_case(line.name, lower_case)) continue;
        for (std::string_view remaining = line.value;;) {
            const std::size_t comma = remaining.rfind(',');
            const std::string_view part = trimmed(comma == remaining.npos ? remaining : remaining.substr(comma + 1));
            if (!part.empty() && !visit(part)) return;
            if (comma == remaining.npos) break;
            remaining = remaining.substr(0, comma);
        }
    }
}

struct node {
    std::optional<ip_address> address;
    std::uint16_t port = 0;
};

// Returns false when the text is not a port. An obfuscated port (RFC 7239 section 6.3) leaves `port` unset.
bool read_port(std::string_view text, std::uint16_t& port) noexcept {
    if (text.starts_with('_')) return true;
    const std::optional<std::uint16_t> number = parse_number<std::uint16_t>(text);
    port = number.value_or(port);
    return number.has_value();
}

// Parses 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:80; no address for anything else.
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
    if (equals_ignore_case(text, "https") || equals_ignore_case(text, "wss")) return "https";
    if (equals_ignore_case(text, "http") || equals_ignore_case(text, "ws")) return "http";
    return {};
}

std::string_view known_host(std::string_view text) noexcept {
    return is_valid_authority(text) ? text : std::string_view();
}

// The element at `depth` from the right. A shorter list was replaced by one of the proxies: then its first element.
std::string_view element_from_right(const fields_view& fields, std::string_view lower_case, std::size_t depth) {
    std::string_view found;
    for_each_from_right(fields, lower_case, [&](std::string_view part) {
        found = part;
        return --depth > 0;
    });
    return found;
}

forwarded read_x_forwarded(const fields_view& fields, const allow_list& trusted) {
    forwarded out;
    std::size_t depth = 0;
    for_each_from_right(fields, "x-forwarded-for", [&](std::string_view part) {
        const node parsed = parse_node(part);
        if (!parsed.address) return false;
        out.client = parsed.address;
        out.port = parsed.port;
        return ++depth < max_hops && trusted.contains(*parsed.address);
    });
    if (depth == 0) depth = 1;
    out.scheme = known_scheme(element_from_right(fields, "x-forwarded-proto", depth));
    out.host = known_host(element_from_right(fields, "x-forwarded-host", depth));
    return out;
}

/// One element of Forwarded.
struct element {
    std::string_view node;
    std::string_view proto;
    std::string_view host;
};

// token or quoted-string. Rejects escapes: no value that matters here needs one.
bool read_value(std::string_view text, std::string_view& value) noexcept {
    if (!value.empty()) return false;  // a duplicate
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        text = text.substr(1, text.size() - 2);
        if (text.find_first_of("\"\\") != text.npos) return false;
    } else {
        for (char c : text)
            if (!characters::is(c, characters::token)) return false;
    }
    value = text;
    return !text.empty();
}

// The end of the first pair. A ';' within quotes, as a host may contain, does not end it.
std::size_t find_pair_end(std::string_view text) noexcept {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        else if (text[i] == ';' && !quoted) return i;
    }
    return std::string_view::npos;
}

std::optional<element> parse_element(std::string_view text) noexcept {
    element out;
    for (std::string_view remaining = text;;) {
        const std::size_t end = find_pair_end(remaining);
        const std::string_view pair = trimmed(remaining.substr(0, end));
        const std::size_t equals = pair.find('=');
        if (!pair.empty()) {
            if (equals == pair.npos || equals == 0) return std::nullopt;
            const std::string_view name = pair.substr(0, equals);
            std::string_view other;
            std::string_view& value = equals_ignore_case(name, "for")     ? out.node
                                      : equals_ignore_case(name, "proto") ? out.proto
                                      : equals_ignore_case(name, "host")  ? out.host
                                                                          : other;
            if (!read_value(pair.substr(equals + 1), value)) return std::nullopt;
        }
        if (end == remaining.npos) return out;
        remaining.remove_prefix(end + 1);
    }
}

forwarded read_rfc7239(const fields_view& fields, const allow_list& trusted) {
    forwarded out;
    std::size_t depth = 0;
    for_each_from_right(fields, "forwarded", [&](std::string_view part) {
        const auto parsed = parse_element(part);
        if (!parsed) return false;
        if (const auto scheme = known_scheme(parsed->proto); !scheme.empty()) out.scheme = scheme;
        if (const auto host = known_host(parsed->host); !host.empty()) out.host = host;
        const node client = parse_node(parsed->node);
        if (!client.address) return false;
        out.client = client.address;
        out.port = client.port;
        return ++depth < max_hops && trusted.contains(*client.address);
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
