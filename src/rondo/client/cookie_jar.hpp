// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/http/date.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/url.hpp>

namespace rondo {

/// Cookies of servers (RFC 6265), for client_options::cookies. Domain, Path, Secure, Max-Age and Expires are kept to; a
/// Domain without a dot, or of another host, is refused. Bounded: 1,000 cookies of 4 KiB; the oldest goes. Any thread.
class cookie_jar {
public:
    static constexpr std::size_t most = 1000;
    static constexpr std::size_t largest = 4096;

    /// Takes the Set-Cookie lines of a response.
    void store(const http::url& from, const http::fields_view& response);
    /// The value of Cookie for a request; empty when there is none.
    [[nodiscard]] std::string value_for(const http::url& to) const;
    [[nodiscard]] std::size_t size() const;
    void clear();

private:
    struct cookie {
        std::string name;
        std::string value;
        std::string domain;
        std::string path;
        http::unix_seconds expires;
        bool host_only;
        bool secure;
    };

    [[nodiscard]] static bool parse(const http::url& from, std::string_view text, cookie& out);
    void put(cookie c);

    mutable std::mutex mutex_;
    std::vector<cookie> cookies_;
};

}  // namespace rondo
