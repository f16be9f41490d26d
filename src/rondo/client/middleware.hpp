// SPDX-License-Identifier: Apache-2.0
// Middleware of the HTTP client, with a concurrency limit and a circuit breaker.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include <rondo/base/clock.hpp>
#include <rondo/client/request.hpp>
#include <rondo/client/response.hpp>
#include <rondo/coro/semaphore.hpp>
#include <rondo/coro/task.hpp>

namespace rondo {

/// The rest of the chain: the inner middleware, then the request itself.
class client_next {
public:
    class middleware_handler {
    public:
        [[nodiscard]] virtual task<client_response> call(client_request request, std::size_t index) = 0;

    protected:
        ~middleware_handler() = default;
    };
    client_next(middleware_handler& chain, std::size_t index) noexcept : chain_(chain), index_(index) {}
    [[nodiscard]] task<client_response> operator()(client_request request) const {
        return chain_.call(std::move(request), index_);
    }

private:
    middleware_handler& chain_;
    std::size_t index_;
};

/// Wraps every call of send() and open(); the first of client_options::middleware is outermost. One object serves the
/// calls of one loop, so it needs no locks.
class client_middleware {
public:
    virtual ~client_middleware() = default;
    [[nodiscard]] virtual task<client_response> call(client_request request, client_next next) = 0;
};

/// Makes the middleware of one loop.
using client_middleware_factory = std::function<std::unique_ptr<client_middleware>()>;

/// Limits the concurrent calls of one loop; further calls wait in order.
class concurrency_limit final : public client_middleware {
public:
    /// At most `max_waiting` calls wait; a further one throws client_error (busy).
    explicit concurrency_limit(std::size_t max_calls, std::size_t max_waiting = 1000)
        : permits_(max_calls), max_waiting_(max_waiting) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    semaphore permits_;
    std::size_t max_waiting_;
    std::size_t waiting_ = 0;
};

struct circuit_breaker_options {
    unsigned failure_threshold = 5;              ///< consecutive failures that open the circuit
    std::chrono::milliseconds open_for{10'000};  ///< then one call probes the server
    std::size_t max_origins = 1024;  ///< failing origins remembered; beyond that an arbitrary one is dropped
};

/// Fails fast while a server fails: after consecutive failures, calls to its origin throw client_error (busy) at once
/// for a time; then one call is let through, and its outcome decides. A failure is a client_error other than url,
/// body_too_large, too_many_redirects, request_too_large and busy, or a status of 500 or more.
class circuit_breaker final : public client_middleware {
public:
    explicit circuit_breaker(circuit_breaker_options options = {}) : options_(options) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    struct circuit {
        unsigned failures = 0;
        instant retry_at{};  // while the circuit is open: when to probe
        bool probing = false;
    };
    class probe_scope;

    void record_failure(const std::string& origin);

    circuit_breaker_options options_;
    std::unordered_map<std::string, circuit> circuits_;  // of origins whose last call failed
};

}  // namespace rondo
