// SPDX-License-Identifier: Apache-2.0
// A cache for applications: values with a time to live, in memory or in Redis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/base/clock.hpp>
#include <rondo/channels/error.hpp>
#include <rondo/channels/single_flight.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/coro/sync_wait.hpp>
#include <rondo/coro/task.hpp>

namespace rondo {

namespace channels_detail {
class cache_state;
}

struct cache_options {
    std::size_t max_bytes = 64u << 20;                  ///< memory: for keys and values, in each process
    clock::duration timeout = std::chrono::seconds(2);  ///< for a reply of Redis
    /// Redis: while one process computes a value, how long the others wait for it; then, or with 0, they compute too.
    clock::duration compute_limit = std::chrono::seconds(10);
};

/// Stores values under keys for a limited time, so that they need not be computed again. Create one for the whole
/// application, before it runs:
///
///     rondo::cache cache("memory:");                          // or "redis://127.0.0.1/0"
///     std::string page = co_await cache.get_or_compute("page:7", 30s, [] { return render(7); });
///
/// `memory:` stores them in each process separately and evicts the least recently used; Redis shares them between all
/// processes. A value may disappear at any time. Thread-safe, usable on any loop. The `_sync` functions are for threads
/// without a loop and throw synchronous_only on a loop thread; in a sync view they inherit the request's deadline and
/// cancellation. Throws channels_unavailable when Redis cannot be used, std::invalid_argument for an empty key or a
/// `ttl` that is not positive.
class cache {
public:
    /// Throws std::invalid_argument when the URL is invalid; an empty one is "memory:". Connects on first use.
    explicit cache(std::string_view url = "memory:", cache_options options = {});
    /// Calls `url` on first use; see channels.
    explicit cache(std::function<std::string()> url, cache_options options = {});
    ~cache();
    cache(const cache&) = delete;
    cache& operator=(const cache&) = delete;

    [[nodiscard]] task<std::optional<std::string>> get(std::string key);
    /// Stores the value for `ttl`; clock::duration::max(): without expiry.
    [[nodiscard]] task<void> set(std::string key, std::string value, clock::duration ttl);
    /// False when there was no value.
    [[nodiscard]] task<bool> remove(std::string key);

    /// Returns the stored value, or stores and returns the result of `compute`: `task<std::string>()` or
    /// `std::string()`, which must not block. Of concurrent callers one computes (in each process; with Redis in all,
    /// within compute_limit) and the others wait for its result. What `compute` throws is thrown to all of them and not
    /// stored. When the computing caller is cancelled, the next one computes; cancelling a waiting caller does not
    /// affect the others. While Redis is unavailable each process computes.
    template <class F>
    [[nodiscard]] task<std::string> get_or_compute(std::string key, clock::duration ttl, F compute);

    [[nodiscard]] std::optional<std::string> get_sync(std::string key);
    void set_sync(std::string key, std::string value, clock::duration ttl);
    bool remove_sync(std::string key);
    /// `compute`: `std::string()`; may block.
    template <class F>
    [[nodiscard]] std::string get_or_compute_sync(std::string key, clock::duration ttl, F compute) {
        check_blocking_allowed();
        return sync_wait(get_or_compute(std::move(key), ttl, std::move(compute)));
    }

    struct statistics {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
        std::uint64_t computed = 0;
        std::uint64_t shared = 0;    ///< results received from a concurrent caller
        std::uint64_t failures = 0;  ///< calls that continued without Redis
        std::uint64_t entries = 0;   ///< memory only
        std::uint64_t bytes = 0;     ///< memory only
        std::uint64_t evicted = 0;   ///< memory only: removed to make room
    };
    /// Counters of this process.
    [[nodiscard]] statistics stats() const;

private:
    using value_pointer = std::shared_ptr<const std::string>;

    static void check_blocking_allowed();
    [[nodiscard]] channels_detail::single_flight& in_flight();
    /// The stored value; nothing also when the store is unavailable.
    [[nodiscard]] task<std::optional<std::string>> try_get(const std::string& key);
    [[nodiscard]] task<value_pointer> wait_for(channels_detail::single_flight::waiter_ptr other);
    /// Locks the key against other processes, or returns the value that another process computed.
    [[nodiscard]] task<std::optional<std::string>> get_or_lock(const std::string& key, std::string& token);
    [[nodiscard]] task<void> try_set(const std::string& key, const std::string& value, clock::duration ttl);
    void unlock(const std::string& key, const std::string& token) noexcept;
    template <class F>
    [[nodiscard]] task<std::string> compute_as_leader(const std::string& key, clock::duration ttl, F& compute);

    std::shared_ptr<channels_detail::cache_state> state_;
};

namespace channels_detail {

template <class F>
task<std::string> call(F& compute) {
    if constexpr (std::is_same_v<std::invoke_result_t<F&>, task<std::string>>) {
        task<std::string> computing = compute();
        co_return co_await std::move(computing);
    } else {
        co_return compute();
    }
}

}  // namespace channels_detail

template <class F>
task<std::string> cache::get_or_compute(std::string key, clock::duration ttl, F compute) {
    static_assert(std::is_same_v<std::invoke_result_t<F&>, task<std::string>> ||
                      std::is_convertible_v<std::invoke_result_t<F&>, std::string>,
                  "compute must be task<std::string>() or std::string()");
    while (true) {
        std::optional<std::string> found = co_await try_get(key);
        if (found) co_return *std::move(found);
        channels_detail::single_flight::waiter_ptr other = in_flight().join(key);
        if (!other) co_return co_await compute_as_leader(key, ttl, compute);
        const value_pointer value = co_await wait_for(std::move(other));
        if (value) co_return *value;
    }
}

template <class F>
task<std::string> cache::compute_as_leader(const std::string& key, clock::duration ttl, F& compute) {
    channels_detail::leader_guard flight(in_flight(), key);
    std::string token;
    std::exception_ptr failure;
    try {
        // The value may have been stored since the last check.
        std::optional<std::string> value = co_await get_or_lock(key, token);
        if (!value) {
            value = co_await channels_detail::call(compute);
            co_await try_set(key, *value, ttl);
        }
        unlock(key, std::exchange(token, {}));
        flight.set_value(*value);
        co_return *std::move(value);
    } catch (const cancelled&) {
        failure = std::current_exception();
    } catch (...) {
        failure = std::current_exception();
        flight.set_failure(failure);
    }
    unlock(key, token);
    std::rethrow_exception(failure);
}

}  // namespace rondo
