// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/cookie_jar.hpp>

#include <algorithm>
#include <ctime>
#include <utility>

#include <rondo/client/public_suffix.hpp>

namespace rondo {

namespace {

http::unix_seconds seconds_now() noexcept { return ::time(nullptr); }

std::string site_of(const http::url& u) {
    return u.unix_path.empty() ? detail::site_of(u.host) : detail::cookie_host(u);
}

// Whether `a` is evicted before `b`.
bool evicts_before(const detail::cookie& a, const detail::cookie& b) noexcept {
    return a.secure != b.secure ? b.secure : a.last_used < b.last_used;
}

bool same_identity(const detail::cookie& a, const detail::cookie& b) noexcept {
    return a.name == b.name && a.domain == b.domain && a.host_only == b.host_only && a.path == b.path;
}

// RFC 6265bis section 5.7: a cookie set without TLS neither replaces nor shadows a secure one.
bool shadows_secure(const detail::cookie& added, const detail::cookie& old) noexcept {
    const bool related =
        detail::domain_matches(old.domain, added.domain) || detail::domain_matches(added.domain, old.domain);
    return old.secure && old.name == added.name && related && detail::path_matches(added.path, old.path);
}

}  // namespace

cookie_jar::cookie_jar() { detail::load_public_suffixes(); }

void cookie_jar::remove_expired(cookies& site_cookies, http::unix_seconds now) {
    size_ -= std::erase_if(site_cookies, [now](const detail::cookie& c) { return c.expires <= now; });
}

void cookie_jar::evict_one(cookies& site_cookies, std::string_view domain) {
    auto victim = site_cookies.end();
    for (auto c = site_cookies.begin(); c != site_cookies.end(); ++c) {
        const bool matches = domain.empty() || c->domain == domain;
        if (matches && (victim == site_cookies.end() || evicts_before(*c, *victim))) victim = c;
    }
    if (victim == site_cookies.end()) return;
    site_cookies.erase(victim);
    --size_;
}

// Evicts from the host with most cookies: one host of a site does not displace the cookies of another.
void cookie_jar::evict_from_site(cookies& site_cookies) {
    std::unordered_map<std::string_view, std::size_t> counts;
    for (const detail::cookie& c : site_cookies) ++counts[c.domain];
    const auto largest_host = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    if (largest_host == counts.end()) return;
    const std::string domain(largest_host->first);
    evict_one(site_cookies, domain);
}

// Evicts from the largest site while it exceeds its share, otherwise the least recently used cookie of all.
void cookie_jar::evict_from_all(http::unix_seconds now) {
    for (auto& [site, site_cookies] : sites_) remove_expired(site_cookies, now);
    std::erase_if(sites_, [](const auto& entry) { return entry.second.empty(); });
    if (size_ <= max_cookies) return;
    auto chosen = std::ranges::max_element(sites_, {}, [](const auto& entry) { return entry.second.size(); });
    if (chosen->second.size() > max_cookies_per_host) return evict_from_site(chosen->second);
    const auto oldest = [](const auto& entry) {
        return std::ranges::min_element(entry.second, {}, &detail::cookie::last_used)->last_used;
    };
    chosen = std::ranges::min_element(sites_, {}, oldest);
    chosen->second.erase(std::ranges::min_element(chosen->second, {}, &detail::cookie::last_used));
    --size_;
    if (chosen->second.empty()) sites_.erase(chosen);
}

void cookie_jar::enforce_limits(const std::string& site, const std::string& domain, http::unix_seconds now) {
    cookies& site_cookies = sites_[site];
    const auto domain_count = std::ranges::count(site_cookies, domain, &detail::cookie::domain);
    if (static_cast<std::size_t>(domain_count) > max_cookies_per_host) evict_one(site_cookies, domain);
    if (site_cookies.size() > max_cookies_per_site) evict_from_site(site_cookies);
    if (size_ > max_cookies) evict_from_all(now);
}

void cookie_jar::insert(detail::cookie c, bool over_tls, http::unix_seconds now) {
    const bool is_path = c.domain.starts_with("unix:");
    const std::string site = is_path ? c.domain : detail::site_of(c.domain);
    const auto found = sites_.find(site);
    if (found != sites_.end()) {
        cookies& stored = found->second;
        remove_expired(stored, now);
        if (!over_tls &&
            std::ranges::any_of(stored, [&c](const detail::cookie& old) { return shadows_secure(c, old); }))
            return;
        const auto old = std::ranges::find_if(stored, [&c](const detail::cookie& o) { return same_identity(o, c); });
        if (old != stored.end() && c.expires > now) {
            *old = std::move(c);
            return;
        }
        if (old != stored.end()) stored.erase(old), --size_;
        if (stored.empty()) sites_.erase(found);
    }
    if (c.expires <= now) return;
    const std::string domain = c.domain;
    sites_[site].push_back(std::move(c));
    ++size_;
    enforce_limits(site, domain, now);
}

void cookie_jar::store(const http::url& from, const http::fields_view& response) {
    const http::unix_seconds now = seconds_now();
    for (const std::string_view line : response.find_all("Set-Cookie")) {
        auto c = detail::parse_set_cookie(from, line, now);
        if (!c) continue;
        const std::lock_guard lock(mutex_);
        c->last_used = ++use_counter_;
        insert(*std::move(c), from.is_secure(), now);
    }
}

std::string cookie_jar::cookie_header(const http::url& to) const {
    const std::string host = detail::cookie_host(to);
    const std::string site = site_of(to);
    const http::unix_seconds now = seconds_now();
    std::vector<const detail::cookie*> sent;
    const std::lock_guard lock(mutex_);
    const auto found = sites_.find(site);
    if (found == sites_.end()) return {};
    for (detail::cookie& c : found->second) {
        const bool fits = c.host_only ? c.domain == host : detail::domain_matches(host, c.domain);
        if (!fits || c.expires <= now || (c.secure && !to.is_secure())) continue;
        if (!detail::path_matches(detail::path_of(to), c.path)) continue;
        c.last_used = ++use_counter_;
        sent.push_back(&c);
    }
    // Longer paths first, then earlier creation (RFC 6265 section 5.4).
    std::ranges::sort(sent, [](const detail::cookie* a, const detail::cookie* b) {
        return a->path.size() != b->path.size() ? a->path.size() > b->path.size() : a < b;
    });
    std::string value;
    for (const detail::cookie* c : sent) {
        if (!value.empty()) value += "; ";
        ((value += c->name) += '=') += c->value;
    }
    return value;
}

std::size_t cookie_jar::size() const {
    const std::lock_guard lock(mutex_);
    return size_;
}

void cookie_jar::clear() {
    const std::lock_guard lock(mutex_);
    sites_.clear();
    size_ = 0;
}

}  // namespace rondo
