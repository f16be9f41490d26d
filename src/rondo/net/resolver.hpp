// SPDX-License-Identifier: Apache-2.0
// Resolves host names asynchronously, with a cache, for one loop.
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

/// A name has no address or the lookup failed. `what()` is a message for users.
class resolve_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct resolver_options {
    std::chrono::milliseconds ttl{30'000};         ///< cache lifetime of an answer; getaddrinfo() reports no TTL
    std::chrono::milliseconds failure_ttl{1'000};  ///< cache lifetime of a failure
    std::size_t max_entries = 256;                 ///< cached answers
    /// Concurrent lookups, each on its own thread. With an unresponsive name server getaddrinfo() blocks for half a
    /// minute and cannot be interrupted, even when no task waits for it, so the limit is high.
    std::size_t max_concurrent_lookups = 256;
    /// A lookup fails when no thread becomes free for this long.
    std::chrono::milliseconds queue_timeout{1'000};
    /// Looks up the addresses of a name, on any thread; throws resolve_error. Null: getaddrinfo().
    std::vector<endpoint> (*lookup)(const std::string& host) = nullptr;
};

/// A caching resolver of host names for one loop. Calls getaddrinfo() on threads of its own, so /etc/hosts and
/// nsswitch.conf apply, and unresponsive name servers delay neither views nor, up to
/// resolver_options::max_concurrent_lookups, other names. Concurrent requests for one name share a lookup. A loop
/// without a blocking pool runs on a thread that may block: there the lookup runs on the calling thread. Loop thread
/// only. Destruction fails every pending resolve().
class resolver {
public:
    explicit resolver(event_loop& loop, const resolver_options& options = {});
    ~resolver();
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;

    /// Returns the addresses in the order to try them, families alternating (RFC 8305 section 4). A numeric address
    /// needs no lookup. Throws resolve_error, timed_out at `deadline`, and `cancelled` immediately (a running lookup
    /// continues and its answer is cached).
    [[nodiscard]] task<std::vector<endpoint>> resolve(std::string host, std::uint16_t port,
                                                      instant deadline = instant::max());

private:
    struct lookup;
    class waiter;
    struct queue_timer : timer {
        explicit queue_timer(resolver& owner) noexcept;
        resolver& owner_;
    };

    std::shared_ptr<lookup> find_or_start(const std::string& host);
    void start(const std::shared_ptr<lookup>& l);
    void start_queued();
    void enqueue(const std::shared_ptr<lookup>& l);
    void fail_overdue() noexcept;
    void on_abandoned(lookup& l);
    void evict();

    event_loop& loop_;
    resolver_options options_;
    std::unordered_map<std::string, std::shared_ptr<lookup>> cache_;
    std::deque<std::shared_ptr<lookup>> queue_;  // lookups without a thread
    std::size_t running_ = 0;
    queue_timer queue_timer_{*this};
};

}  // namespace rondo::net
