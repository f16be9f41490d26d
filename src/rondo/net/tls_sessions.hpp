// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct ssl_session_st;

namespace rondo::net {

/// What servers gave to take a session of TLS up again, so that the next connection costs neither their certificate's
/// verification nor, with TLS 1.2, a second round trip (RFC 8446 section 2.2, RFC 5077). Those of the servers asked
/// last are kept. Any thread.
class tls_sessions {
public:
    static constexpr std::size_t most_servers = 128;
    static constexpr std::size_t most_tickets = 4;  ///< of one server: as many connections at once are resumed

    struct release {
        void operator()(ssl_session_st* session) const noexcept;
    };
    using session = std::unique_ptr<ssl_session_st, release>;

    void keep(const std::string& server, session given);
    /// Null when there is none. A ticket of TLS 1.3 is given once: who used it twice could be followed by those who
    /// watch (RFC 8446 appendix C.4).
    [[nodiscard]] session take(const std::string& server);

private:
    struct entry {
        std::string server;
        std::vector<session> tickets;  // the oldest first
    };
    [[nodiscard]] entry* find(const std::string& server);

    std::mutex mutex_;
    std::list<entry> entries_;  // the one used last is the first
};

}  // namespace rondo::net
