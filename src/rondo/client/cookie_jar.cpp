// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/cookie_jar.hpp>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <limits>
#include <utility>

#include <rondo/http/characters.hpp>

namespace rondo {

namespace {

constexpr http::unix_seconds never = std::numeric_limits<http::unix_seconds>::max();

http::unix_seconds seconds_now() noexcept { return ::time(nullptr); }

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = http::characters::lower(c);
    return out;
}

// RFC 6265 section 5.1.3
bool domain_matches(std::string_view host, std::string_view domain) noexcept {
    if (host == domain) return true;
    const bool numeric = host.find(':') != std::string_view::npos ||
                         (!host.empty() && http::characters::is(host.back(), http::characters::digit));
    return !numeric && host.size() > domain.size() && host.ends_with(domain) &&
           host[host.size() - domain.size() - 1] == '.';
}

// Section 5.1.4
bool path_matches(std::string_view path, std::string_view of_cookie) noexcept {
    if (!path.starts_with(of_cookie)) return false;
    return path.size() == of_cookie.size() || of_cookie.ends_with('/') || path[of_cookie.size()] == '/';
}

std::string_view path_of(const http::url& u) noexcept {
    return std::string_view(u.target).substr(0, u.target.find('?'));
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

std::optional<http::unix_seconds> expiry_of_age(std::string_view text) noexcept {
    http::unix_seconds age = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), age);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (age <= 0) return 0;
    return age > never - seconds_now() ? never : seconds_now() + age;
}

}  // namespace

bool cookie_jar::parse(const http::url& from, std::string_view text, cookie& out) {
    if (text.size() > largest) return false;
    auto [pair, rest] = split(text, ';');
    if (pair.find('=') == std::string_view::npos) return false;
    const auto [name, value] = split(pair, '=');
    if (name.empty()) return false;
    out = {std::string(name), std::string(value), from.host, default_path(from), never, true, false};
    bool has_age = false;
    while (!rest.empty()) {
        const auto [attribute, after] = split(rest, ';');
        rest = after;
        const auto [key, content] = split(attribute, '=');
        if (http::same_ignoring_case(key, "Secure")) {
            out.secure = true;
        } else if (http::same_ignoring_case(key, "Path")) {
            if (content.starts_with('/')) out.path = content;
        } else if (http::same_ignoring_case(key, "Domain") && !content.empty()) {
            out.domain = lower(content.starts_with('.') ? content.substr(1) : content);
            out.host_only = false;
        } else if (http::same_ignoring_case(key, "Max-Age")) {
            if (const auto at = expiry_of_age(content)) out.expires = *at, has_age = true;
        } else if (http::same_ignoring_case(key, "Expires") && !has_age) {
            if (const auto at = http::parse_date(content, seconds_now())) out.expires = *at;
        }
    }
    if (out.secure && !from.secure()) return false;
    if (out.host_only) return true;
    return domain_matches(from.host, out.domain) &&
           (out.domain == from.host || out.domain.find('.') != std::string::npos);
}

void cookie_jar::put(cookie c) {
    std::erase_if(cookies_, [&c](const cookie& old) {
        return old.name == c.name && old.domain == c.domain && old.path == c.path;
    });
    if (c.expires <= seconds_now()) return;
    if (cookies_.size() >= most) cookies_.erase(cookies_.begin());
    cookies_.push_back(std::move(c));
}

void cookie_jar::store(const http::url& from, const http::fields_view& response) {
    for (const std::string_view line : response.all("Set-Cookie")) {
        cookie c;
        if (!parse(from, line, c)) continue;
        const std::lock_guard lock(mutex_);
        put(std::move(c));
    }
}

std::string cookie_jar::value_for(const http::url& to) const {
    std::vector<const cookie*> sent;
    const std::lock_guard lock(mutex_);
    const http::unix_seconds now = seconds_now();
    for (const cookie& c : cookies_) {
        const bool host = c.host_only ? c.domain == to.host : domain_matches(to.host, c.domain);
        if (host && c.expires > now && (to.secure() || !c.secure) && path_matches(path_of(to), c.path))
            sent.push_back(&c);
    }
    // Longer paths first (section 5.4).
    std::ranges::sort(sent, [](const cookie* a, const cookie* b) {
        return a->path.size() != b->path.size() ? a->path.size() > b->path.size() : a < b;
    });
    std::string value;
    for (const cookie* c : sent) {
        if (!value.empty()) value += "; ";
        ((value += c->name) += '=') += c->value;
    }
    return value;
}

std::size_t cookie_jar::size() const {
    const std::lock_guard lock(mutex_);
    return cookies_.size();
}

void cookie_jar::clear() {
    const std::lock_guard lock(mutex_);
    cookies_.clear();
}

}  // namespace rondo
