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

class scoped_count {
public:
    explicit scoped_count(std::size_t& n) noexcept : n_(n) { ++n_; }
    scoped_count(const scoped_count&) = delete;
    scoped_count& operator=(const scoped_count&) = delete;
    ~scoped_count() { --n_; }

private:
    std::size_t& n_;
};

bool counts_as_failure(client_failure kind) noexcept {
    switch (kind) {
        case client_failure::url:
        case client_failure::body_too_large:
        case client_failure::too_many_redirects:
        case client_failure::request_too_large:
        case client_failure::busy: return false;
        default: return true;
    }
}

}  // namespace

task<client_response> concurrency_limit::call(client_request request, client_next next) {
    semaphore::reservation permit;
    if (permits_.try_acquire()) {
        permit = semaphore::reservation(permits_, 1);
    } else {
        if (waiting_ >= max_waiting_)
            throw client_error(client_failure::busy,
                               fmt::format("{}: concurrency limit reached, {} calls waiting", request.url(), waiting_));
        const scoped_count queued(waiting_);
        permit = co_await permits_.reserve();
    }
    co_return co_await next(std::move(request));
}

// The one call that probes whether a server has recovered; when it is cancelled, the next call probes.
class circuit_breaker::probe_scope {
public:
    probe_scope(circuit_breaker& breaker, std::string origin) : breaker_(breaker), origin_(std::move(origin)) {
        set_probing(true);
    }
    probe_scope(const probe_scope&) = delete;
    probe_scope& operator=(const probe_scope&) = delete;
    ~probe_scope() { set_probing(false); }

private:
    // Another call may have closed the circuit in the meantime.
    void set_probing(bool probing) noexcept {
        if (const auto c = breaker_.circuits_.find(origin_); c != breaker_.circuits_.end()) c->second.probing = probing;
    }

    circuit_breaker& breaker_;
    std::string origin_;
};

void circuit_breaker::record_failure(const std::string& origin) {
    if (circuits_.size() >= options_.max_origins && !circuits_.contains(origin)) {
        // Origins may come from requests. Drop those first that may have recovered.
        const instant now = clock::now();
        std::erase_if(circuits_, [now](const auto& c) { return c.second.retry_at <= now; });
        if (circuits_.size() >= options_.max_origins) circuits_.erase(circuits_.begin());
    }
    circuit& c = circuits_[origin];
    if (++c.failures >= options_.failure_threshold) c.retry_at = from_now(options_.open_for);
}

task<client_response> circuit_breaker::call(client_request request, client_next next) {
    const auto url = http::url::parse(request.url());
    const std::string origin = url ? url->origin() : std::string();
    std::optional<probe_scope> probe;
    if (const auto found = circuits_.find(origin);
        found != circuits_.end() && found->second.failures >= options_.failure_threshold) {
        const circuit& c = found->second;
        if (c.probing || clock::now() < c.retry_at)
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
    const bool failed = failure ? counts_as_failure(failure->kind()) : response.code() >= 500;
    if (failed) {
        record_failure(origin);
    } else if (!failure) {
        probe.reset();
        circuits_.erase(origin);
    }
    if (failure) throw client_error(*failure);
    co_return response;
}

}  // namespace rondo
