// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/middleware.hpp>

#include <exception>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <rondo/client/error.hpp>
#include <rondo/http/url.hpp>

namespace rondo {

namespace {

class counted {
public:
    explicit counted(std::size_t& n) noexcept : n_(n) { ++n_; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --n_; }

private:
    std::size_t& n_;
};

bool counts_as_failure(client_failure kind) noexcept {
    switch (kind) {
        case client_failure::url:
        case client_failure::body_too_large:
        case client_failure::redirects:
        case client_failure::request_too_large:
        case client_failure::busy: return false;
        default: return true;
    }
}

}  // namespace

task<client_response> concurrency_limit::call(client_request request, client_next next) {
    semaphore::reservation permit;
    if (room_.try_acquire()) {
        permit = semaphore::reservation(room_, 1);
    } else {
        if (waiting_ >= most_waiting_)
            throw client_error(client_failure::busy,
                               fmt::format("{}: concurrency limit reached, {} calls waiting", request.url(), waiting_));
        const counted queued(waiting_);
        permit = co_await room_.reserve();
    }
    co_return co_await next(std::move(request));
}

// The one call that probes whether a server has recovered; when it is cancelled, the next call probes.
class circuit_breaker::trial {
public:
    trial(circuit_breaker& breaker, std::string origin) : breaker_(breaker), origin_(std::move(origin)) { set(true); }
    trial(const trial&) = delete;
    trial& operator=(const trial&) = delete;
    ~trial() { set(false); }

private:
    // Another call may have closed the circuit in the meantime.
    void set(bool trying) noexcept {
        if (const auto c = breaker_.circuits_.find(origin_); c != breaker_.circuits_.end()) c->second.trying = trying;
    }

    circuit_breaker& breaker_;
    std::string origin_;
};

void circuit_breaker::failed(const std::string& origin) {
    if (circuits_.size() >= options_.origins && !circuits_.contains(origin)) {
        // Origins may come from requests. Drop those first that may have recovered.
        const instant now = clock::now();
        std::erase_if(circuits_, [now](const auto& c) { return c.second.closed_until <= now; });
        if (circuits_.size() >= options_.origins) circuits_.erase(circuits_.begin());
    }
    circuit& c = circuits_[origin];
    if (++c.failures >= options_.failures) c.closed_until = from_now(options_.open_for);
}

task<client_response> circuit_breaker::call(client_request request, client_next next) {
    const auto url = http::url::parse(request.url());
    const std::string origin = url ? url->origin() : std::string();
    std::optional<trial> probe;
    if (const auto known = circuits_.find(origin);
        known != circuits_.end() && known->second.failures >= options_.failures) {
        const circuit& c = known->second;
        if (c.trying || clock::now() < c.closed_until)
            throw client_error(client_failure::busy, fmt::format("{} keeps failing: circuit breaker open", origin));
        probe.emplace(*this, origin);
    }
    std::optional<client_error> failure;
    client_response response;
    try {
        response = co_await next(std::move(request));
    } catch (const client_error& e) {
        failure = e;
    }
    const bool bad = failure ? counts_as_failure(failure->kind()) : response.code() >= 500;
    if (bad) {
        failed(origin);
    } else if (!failure) {
        probe.reset();
        circuits_.erase(origin);
    }
    if (failure) throw client_error(*failure);
    co_return response;
}

}  // namespace rondo
