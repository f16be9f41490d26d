// SPDX-License-Identifier: Apache-2.0
// A client-side cache of TLS sessions for resumption.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct ssl_session_st;

namespace rondo::net {

/// TLS sessions by server. Resuming one saves the next connection the verification of the certificate and, with
/// TLS 1.2, a second round trip (RFC 8446 section 2.2, RFC 5077). Evicts the least recently used server. Thread-safe.
class tls_session_cache {
public:
    static constexpr std::size_t max_servers = 128;
    static constexpr std::size_t max_tickets = 4;  ///< per server: the number of connections that can resume at once

    struct session_deleter {
        void operator()(ssl_session_st* session) const noexcept;
    };
    using session = std::unique_ptr<ssl_session_st, session_deleter>;

    void add(const std::string& server, session added);
    /// Returns null when there is none. A TLS 1.3 ticket is returned only once: reuse would let observers link
    /// connections (RFC 8446 appendix C.4).
    [[nodiscard]] session acquire(const std::string& server);

private:
    struct entry {
        std::string server;
        std::vector<session> tickets;  // oldest first
    };
    [[nodiscard]] entry* find(const std::string& server);

    std::mutex mutex_;
    std::list<entry> entries_;  // most recently used first
};

}  // namespace rondo::net
