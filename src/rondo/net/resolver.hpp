// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
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
    /// Names asked for at once, each on a thread of its own. A name whose server is silent takes the system's resolver
    /// half a minute, and nothing can interrupt that, also when all who waited have left: there is room for many.
    std::size_t lookups = 256;
    /// A name that found no thread for so long is refused.
    std::chrono::milliseconds patience{1'000};
    /// Asks for the addresses of a name, on any thread; throws resolve_error. Null: getaddrinfo().
    std::vector<endpoint> (*lookup)(const std::string& host) = nullptr;
};

/// Addresses of host names for one loop. Names are asked for with getaddrinfo() on threads of their own, so what
/// /etc/hosts and nsswitch.conf say holds, and names whose servers are silent hold up neither views nor, up to
/// resolver_options::lookups of them, other names; concurrent questions for one name are one. A loop without a blocking
/// pool is that of a thread that may block: there a name is asked for at once. Loop thread only. At its end every
/// resolve() that is under way fails.
class resolver {
public:
    explicit resolver(event_loop& loop, const resolver_options& options = {});
    ~resolver();
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;

    /// The addresses in the order to try them, families alternating (RFC 8305 section 4). A numeric address asks
    /// nobody. Throws resolve_error, timed_out at `until`, `cancelled` at once (a lookup that runs goes on by itself,
    /// and its answer is kept for who asks next).
    [[nodiscard]] task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port,
                                                      instant until = instant::max());

private:
    struct lookup;
    class waiter;
    struct end_of_patience : timer {
        explicit end_of_patience(resolver& owner) noexcept;
        resolver& owner_;
    };

    std::shared_ptr<lookup> find(const std::string& host);
    void start(const std::shared_ptr<lookup>& l);
    void start_waiting();
    void wait_for_thread(const std::shared_ptr<lookup>& l);
    void refuse_late() noexcept;
    void left_alone(lookup& l);
    void forget_old();

    event_loop& loop_;
    resolver_options options_;
    std::unordered_map<std::string, std::shared_ptr<lookup>> known_;
    std::deque<std::shared_ptr<lookup>> waiting_;  // for a thread
    std::size_t running_ = 0;
    end_of_patience end_of_patience_{*this};
};

}  // namespace rondo::net
