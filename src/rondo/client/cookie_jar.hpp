// SPDX-License-Identifier: Apache-2.0
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

/// Cookies of servers (RFC 6265bis), for client_options::cookies. A Domain that is a public suffix ("co.uk") or of
/// another host is refused; `Secure` cookies are neither set nor replaced without TLS; the prefixes `__Secure-` and
/// `__Host-` are kept to; every unix socket has cookies of its own. SameSite makes no difference: every call is the
/// program's own. Cookies without a name are left out. Any thread.
///
/// Bounded: beyond a limit the one that was not used for the longest goes, of those that are not `Secure` first, and
/// always of the host, or the site, that has too many.
class cookie_jar {
public:
    static constexpr std::size_t most = 3000;               ///< cookies in all
    static constexpr std::size_t most_per_site = 180;       ///< of all hosts below one registered domain
    static constexpr std::size_t most_per_host = 50;        ///< of one host, or for one Domain
    static constexpr std::size_t largest = 4096;            ///< bytes of a name and its value; larger: left out
    static constexpr std::size_t largest_attribute = 1024;  ///< bytes; one that is larger is ignored

    /// Reads the list of public suffixes when it was not read yet.
    cookie_jar();

    /// Takes the Set-Cookie lines of a response.
    void store(const http::url& from, const http::fields_view& response);
    /// The value of Cookie for a request; empty when there is none.
    [[nodiscard]] std::string value_for(const http::url& to) const;
    [[nodiscard]] std::size_t size() const;
    void clear();

private:
    using cookies = std::vector<detail::cookie>;  // in the order of their creation

    void put(detail::cookie c, bool over_tls, http::unix_seconds now);
    void forget_expired(cookies& of, http::unix_seconds now);
    void evict_for(const std::string& site, const std::string& domain, http::unix_seconds now);
    void evict_of_site(cookies& of);
    void evict_one(cookies& of, std::string_view domain);
    void evict_of_all(http::unix_seconds now);

    mutable std::mutex mutex_;
    mutable std::unordered_map<std::string, cookies> sites_;
    mutable std::uint64_t uses_ = 0;
    std::size_t size_ = 0;
};

}  // namespace rondo
