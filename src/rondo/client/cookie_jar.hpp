// SPDX-License-Identifier: Apache-2.0
// Stores the cookies that servers set and adds them to requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <rondo/client/cookie.hpp>
#include <rondo/http/date.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/url.hpp>

namespace rondo {

/// The cookies of servers (RFC 6265bis), for client_options::cookies. Refuses a Domain that is a public suffix
/// ("co.uk") or belongs to another host; neither sets nor replaces `Secure` cookies without TLS; enforces the prefixes
/// `__Secure-` and `__Host-`; keeps the cookies of each unix socket apart. Ignores SameSite, since every call is the
/// program's own, and cookies without a name. Thread-safe.
///
/// Bounded: beyond a limit the least recently used cookie of the host or site with too many is evicted, those without
/// `Secure` first.
class cookie_jar {
public:
    static constexpr std::size_t max_cookies = 3000;          ///< cookies in total
    static constexpr std::size_t max_cookies_per_site = 180;  ///< all hosts below one registrable domain
    static constexpr std::size_t max_cookies_per_host = 50;   ///< one host, or one Domain
    static constexpr std::size_t max_cookie_bytes = 4096;     ///< name plus value; larger cookies are ignored
    static constexpr std::size_t max_attribute_bytes = 1024;  ///< larger attributes are ignored

    /// Loads the public suffix list unless it is loaded already.
    cookie_jar();

    /// Stores the Set-Cookie lines of a response.
    void store(const http::url& from, const http::fields_view& response);
    /// The value of Cookie for a request; empty when no cookie matches.
    [[nodiscard]] std::string cookie_header(const http::url& to) const;
    [[nodiscard]] std::size_t size() const;
    void clear();

private:
    using cookies = std::vector<detail::cookie>;  // in order of creation

    void insert(detail::cookie c, bool over_tls, http::unix_seconds now);
    void remove_expired(cookies& site_cookies, http::unix_seconds now);
    void enforce_limits(const std::string& site, const std::string& domain, http::unix_seconds now);
    void evict_from_site(cookies& site_cookies);
    void evict_one(cookies& site_cookies, std::string_view domain);
    void evict_from_all(http::unix_seconds now);

    mutable std::mutex mutex_;
    mutable std::unordered_map<std::string, cookies> sites_;
    mutable std::uint64_t use_counter_ = 0;
    std::size_t size_ = 0;
};

}  // namespace rondo
