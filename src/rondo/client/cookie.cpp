// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/cookie.hpp>

#include <algorithm>
#include <limits>
#include <utility>

#include <rondo/client/cookie_jar.hpp>
#include <rondo/client/public_suffix.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::detail {

namespace {

using http::characters::digit;
using http::characters::is;

constexpr http::unix_seconds no_expiry = std::numeric_limits<http::unix_seconds>::max();
constexpr http::unix_seconds max_lifetime = 400 * 24 * 3600;  // RFC 6265bis section 5.5

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = http::characters::to_lower(c);
    return out;
}

bool starts_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
    return text.size() >= prefix.size() && http::equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

bool has_control_byte(std::string_view text) noexcept {
    return std::ranges::any_of(text,
                               [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

std::string default_path(const http::url& u) {
    const std::string_view path = path_of(u);
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

std::pair<std::string_view, std::string_view> split(std::string_view text, char at) noexcept {
    const std::size_t i = std::min(text.find(at), text.size());
    return {http::trimmed(text.substr(0, i)),
            i == text.size() ? std::string_view() : http::trimmed(text.substr(i + 1))};
}

// The expiry time for a Max-Age, which may have any number of digits.
std::optional<http::unix_seconds> expiry_from_max_age(std::string_view text, http::unix_seconds now) noexcept {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    if (text.empty() || !std::ranges::all_of(text, [](char c) { return is(c, digit); })) return std::nullopt;
    http::unix_seconds age = 0;
    for (const char c : text) age = std::min(age * 10 + (c - '0'), max_lifetime);
    return negative || age == 0 ? 0 : now + age;
}

struct attributes {
    std::optional<std::string_view> domain;
    std::optional<std::string_view> path;
    std::optional<http::unix_seconds> expires;
    std::optional<http::unix_seconds> max_age_expires;  // Max-Age
    bool secure = false;
};

// The last of several attributes with one name wins.
attributes read_attributes(std::string_view remaining, http::unix_seconds now) {
    attributes out;
    while (!remaining.empty()) {
        const auto [attribute, after] = split(remaining, ';');
        remaining = after;
        const auto [key, content] = split(attribute, '=');
        if (content.size() > cookie_jar::max_attribute_bytes) continue;
        if (http::equals_ignore_case(key, "Secure")) {
            out.secure = true;
        } else if (http::equals_ignore_case(key, "Path")) {
            out.path = content;
        } else if (http::equals_ignore_case(key, "Domain")) {
            out.domain = content;
        } else if (http::equals_ignore_case(key, "Max-Age")) {
            if (const auto expiry = expiry_from_max_age(content, now)) out.max_age_expires = expiry;
        } else if (http::equals_ignore_case(key, "Expires")) {
            if (const auto date = parse_cookie_date(content)) out.expires = date;
        }
    }
    return out;
}

// False when the server may not set cookies of this domain.
bool apply_domain(cookie& c, std::string_view stated, const http::url& from) {
    if (stated.starts_with('.')) stated.remove_prefix(1);
    if (stated.empty()) return true;
    const std::string domain = lower(stated);
    if (!from.unix_path.empty()) return domain == from.authority();
    if (domain.ends_with('.') || domain.starts_with('.') || domain.find("..") != std::string::npos) return false;
    if (is_numeric_host(from.host) || is_public_suffix(domain)) return domain == from.host;
    if (!domain_matches(from.host, domain)) return false;
    c.domain = domain;
    c.host_only = false;
    return true;
}

// Name prefixes and what they require (RFC 6265bis section 4.1.3).
bool satisfies_name_prefix(const cookie& c, const attributes& a) noexcept {
    if (starts_ignoring_case(c.name, "__Secure-")) return c.secure;
    if (starts_ignoring_case(c.name, "__Host-")) return c.secure && c.host_only && a.path == "/";
    return true;
}

}  // namespace

std::string cookie_host(const http::url& server) {
    return server.unix_path.empty() ? server.host : "unix:" + server.unix_path;
}

bool domain_matches(std::string_view host, std::string_view domain) noexcept {
    if (host == domain) return true;
    return host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.' &&
           !is_numeric_host(host);
}

bool path_matches(std::string_view path, std::string_view cookie_path) noexcept {
    if (!path.starts_with(cookie_path)) return false;
    return path.size() == cookie_path.size() || cookie_path.ends_with('/') || path[cookie_path.size()] == '/';
}

std::string_view path_of(const http::url& u) noexcept {
    return std::string_view(u.target).substr(0, u.target.find('?'));
}

std::optional<cookie> parse_set_cookie(const http::url& from, std::string_view text, http::unix_seconds now) {
    if (has_control_byte(text)) return std::nullopt;
    const auto [pair, remaining] = split(text, ';');
    if (pair.find('=') == std::string_view::npos) return std::nullopt;
    const auto [name, value] = split(pair, '=');
    if (name.empty() || name.size() + value.size() > cookie_jar::max_cookie_bytes) return std::nullopt;
    const attributes a = read_attributes(remaining, now);
    cookie out;
    out.name = name;
    out.value = value;
    out.domain = cookie_host(from);
    out.path = a.path && a.path->starts_with('/') ? std::string(*a.path) : default_path(from);
    out.expires = no_expiry;
    if (a.expires) out.expires = std::min(*a.expires, now + max_lifetime);
    if (a.max_age_expires) out.expires = *a.max_age_expires;
    out.secure = a.secure;
    if (out.secure && !from.is_secure()) return std::nullopt;
    if (a.domain && !apply_domain(out, *a.domain, from)) return std::nullopt;
    // A redirect controls the host and the default path.
    if (out.domain.size() > cookie_jar::max_attribute_bytes || out.path.size() > cookie_jar::max_attribute_bytes)
        return std::nullopt;
    if (!satisfies_name_prefix(out, a)) return std::nullopt;
    return out;
}

}  // namespace rondo::detail
