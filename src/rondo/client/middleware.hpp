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
    class link {
    public:
        [[nodiscard]] virtual task<client_response> go(client_request request, std::size_t index) = 0;

    protected:
        ~link() = default;
    };
    client_next(link& chain, std::size_t index) noexcept : to_(chain), at_(index) {}
    [[nodiscard]] task<client_response> operator()(client_request request) const {
        return to_.go(std::move(request), at_);
    }

private:
    link& to_;
    std::size_t at_;
};

/// Wraps every call of send() and open(); the first of client_options::middleware is outermost. One object serves the
/// calls of one loop, so it needs no locks.
class client_middleware {
public:
    virtual ~client_middleware() = default;
    [[nodiscard]] virtual task<client_response> call(client_request request, client_next next) = 0;
};

/// Makes the middleware of one loop.
using client_middleware_maker = std::function<std::unique_ptr<client_middleware>()>;

/// Limits the concurrent calls of one loop; further calls wait in order.
class concurrency_limit final : public client_middleware {
public:
    /// At most `max_waiting` calls wait; a further one throws client_error (busy).
    explicit concurrency_limit(std::size_t max_calls, std::size_t max_waiting = 1000)
        : room_(max_calls), most_waiting_(max_waiting) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    semaphore room_;
    std::size_t most_waiting_;
    std::size_t waiting_ = 0;
};

struct circuit_breaker_options {
    unsigned failures = 5;                       ///< consecutive failures that open the circuit
    std::chrono::milliseconds open_for{10'000};  ///< then one call probes the server
    std::size_t origins = 1024;  ///< failing origins remembered; beyond that an arbitrary one is dropped
};

/// Fails fast while a server fails: after consecutive failures, calls to its origin throw client_error (busy) at once
/// for a time; then one call is let through, and its outcome decides. A failure is a client_error other than url,
/// body_too_large, redirects, request_too_large and busy, or a status of 500 or more.
class circuit_breaker final : public client_middleware {
public:
    explicit circuit_breaker(circuit_breaker_options options = {}) : options_(options) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    struct circuit {
        unsigned failures = 0;
        instant closed_until{};  // while the circuit is open: when to probe
        bool trying = false;
    };
    class trial;

    void failed(const std::string& origin);

    circuit_breaker_options options_;
    std::unordered_map<std::string, circuit> circuits_;  // of origins whose last call failed
};

}  // namespace rondo
