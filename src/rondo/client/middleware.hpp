// SPDX-License-Identifier: Apache-2.0
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

/// The rest of the way of a call: the middleware further in, then the request itself.
class client_next {
public:
    class link {
    public:
        [[nodiscard]] virtual task<client_response> go(client_request request, std::size_t from) = 0;

    protected:
        ~link() = default;
    };
    client_next(link& to, std::size_t at) noexcept : to_(to), at_(at) {}
    [[nodiscard]] task<client_response> operator()(client_request request) const {
        return to_.go(std::move(request), at_);
    }

private:
    link& to_;
    std::size_t at_;
};

/// Something around every call of send() and open(), the first of client_options::middleware outermost. One object
/// serves the calls of one loop, so it needs no locks.
class client_middleware {
public:
    virtual ~client_middleware() = default;
    [[nodiscard]] virtual task<client_response> call(client_request request, client_next next) = 0;
};

/// Makes the object for a loop.
using client_middleware_maker = std::function<std::unique_ptr<client_middleware>()>;

/// At most so many calls at once, of one loop; others wait in turn.
class concurrency_limit final : public client_middleware {
public:
    /// `waiting`: how many may wait; a further call ends with client_error (busy).
    explicit concurrency_limit(std::size_t calls, std::size_t waiting = 1000) : room_(calls), most_waiting_(waiting) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    semaphore room_;
    std::size_t most_waiting_;
    std::size_t waiting_ = 0;
};

struct circuit_breaker_options {
    unsigned failures = 5;                       ///< so many in a row open the circuit
    std::chrono::milliseconds open_for{10'000};  ///< then one call tries whether it is better
    std::size_t origins = 1024;                  ///< remembered of those that failed last; of more, any
};

/// Spares a server that fails, and those who would wait for it: after so many failures in a row calls to its origin end
/// at once with client_error (busy), for a time; then one call is let through, and its outcome decides. A failure is a
/// client_error other than url, body_too_large, redirects, request_too_large and busy, or a status from 500 on.
class circuit_breaker final : public client_middleware {
public:
    explicit circuit_breaker(circuit_breaker_options options = {}) : options_(options) {}
    [[nodiscard]] task<client_response> call(client_request request, client_next next) override;

private:
    struct circuit {
        unsigned failures = 0;
        instant closed_until{};  // while it is open: when to try
        bool trying = false;
    };
    class trial;

    void failed(const std::string& origin);

    circuit_breaker_options options_;
    std::unordered_map<std::string, circuit> circuits_;  // of origins that failed last
};

}  // namespace rondo
