// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/cookie.hpp>

#include <algorithm>
#include <stdexcept>

namespace rondo::http {
namespace {

// cookie-octet (RFC 6265 section 4.1.1)
bool is_cookie_octet(char c) noexcept { return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'; }

bool is_attribute_byte(char c) noexcept { return c >= 0x20 && c < 0x7f && c != ';'; }

void require(bool condition, const std::string& name, const char* problem) {
    if (!condition) throw std::invalid_argument("invalid cookie '" + name + "': " + problem);
}

void check(const set_cookie& cookie) {
    require(is_valid_token(cookie.name), cookie.name, "the name must consist of letters, digits and !#$%&'*+-.^_`|~");
    require(std::ranges::all_of(cookie.value, is_cookie_octet), cookie.name,
            "the value contains a space, a quote, ',', ';', '\\' or a byte outside ASCII; encode it, for example as "
            "base64url");
    require(std::ranges::all_of(cookie.path, is_attribute_byte), cookie.name,
            "the path contains ';' or a control byte");
    require(std::ranges::all_of(cookie.domain, is_attribute_byte), cookie.name,
            "the domain contains ';' or a control byte");
    require(cookie.same_site != same_site::none || cookie.secure, cookie.name, "SameSite=None requires secure");
    const std::string_view name = cookie.name;
    const bool host = equals_ignore_case(name.substr(0, 7), "__Host-");
    const bool secure = equals_ignore_case(name.substr(0, 9), "__Secure-");
    require(cookie.secure || !(host || secure), cookie.name, "the name prefix requires secure");
    require(!host || (cookie.domain.empty() && cookie.path == "/"), cookie.name,
            "the name prefix requires the path / and no domain");
}

std::string_view same_site_attribute(same_site value) noexcept {
    switch (value) {
        case same_site::unset: break;
        case same_site::strict: return "; SameSite=Strict";
        case same_site::lax: return "; SameSite=Lax";
        case same_site::none: return "; SameSite=None";
    }
    return {};
}

}  // namespace

void cookie_pairs::iterator::read() noexcept {
    while (!remaining_.empty()) {
        const std::size_t semicolon = remaining_.find(';');
        const std::string_view part = remaining_.substr(0, semicolon);
        remaining_.remove_prefix(semicolon == std::string_view::npos ? remaining_.size() : semicolon + 1);
        const std::size_t equals = part.find('=');
        if (equals == std::string_view::npos) continue;
        current_ = {trimmed(part.substr(0, equals)), trimmed(part.substr(equals + 1))};
        if (current_.name.empty()) continue;
        if (current_.value.size() > 1 && current_.value.front() == '"' && current_.value.back() == '"') {
            current_.value = current_.value.substr(1, current_.value.size() - 2);
        }
        return;
    }
    ended_ = true;
}

std::optional<std::string_view> find_cookie(const fields_view& request, std::string_view name) noexcept {
    for (const std::string_view line : request.find_all("cookie")) {
        for (const field pair : cookie_pairs(line)) {
            if (pair.name == name) return pair.value;
        }
    }
    return std::nullopt;
}

std::string to_string(const set_cookie& cookie) {
    check(cookie);
    std::string out = cookie.name + '=' + cookie.value;
    if (cookie.max_age) out += "; Max-Age=" + std::to_string(*cookie.max_age);
    if (cookie.expires) out += "; Expires=" + format_date(*cookie.expires);
    if (!cookie.domain.empty()) out += "; Domain=" + cookie.domain;
    if (!cookie.path.empty()) out += "; Path=" + cookie.path;
    if (cookie.secure) out += "; Secure";
    if (cookie.http_only) out += "; HttpOnly";
    return out += same_site_attribute(cookie.same_site);
}

}  // namespace rondo::http
