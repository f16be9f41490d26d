// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/endpoint.hpp>

namespace rondo::net {

/// A name has no address, or could not be asked for. `what()` is a sentence.
class resolve_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct resolver_options {
    std::chrono::milliseconds ttl{30'000};  ///< an answer is used for so long; the system's resolver tells no time
    std::chrono::milliseconds failure_ttl{1'000};  ///< the same for a name without an address
    std::size_t entries = 256;                     ///< answers kept
    std::size_t lookups = 4;                       ///< threads of the blocking pool occupied at once
    /// Asks for the addresses of a name, on a thread of the pool; throws resolve_error. Null: getaddrinfo().
    std::vector<endpoint> (*lookup)(const std::string& host) = nullptr;
};

/// Addresses of host names for one loop. Names are asked for with getaddrinfo() on the loop's blocking pool, so what
/// /etc/hosts and nsswitch.conf say holds; concurrent questions for one name are one. A loop without such a pool is
/// that of a thread that may block: there it is asked at once. Loop thread only.
class resolver {
public:
    explicit resolver(event_loop& loop, const resolver_options& options = {});
    ~resolver();
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;

    /// The addresses in the order to try them, families alternating (RFC 8305 section 4). A numeric address needs no
    /// pool. Throws resolve_error, timed_out at `until`, `cancelled` at once (a lookup that runs goes on by itself).
    [[nodiscard]] task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port,
                                                      instant until = instant::max());

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace rondo::net
