// SPDX-License-Identifier: Apache-2.0
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
    std::size_t bytes = 64u << 20;                       ///< memory: of keys and values, in each process
    clock::duration patience = std::chrono::seconds(2);  ///< how long Redis may take to answer
    /// Redis: while one process computes a value, the others wait for it, but not longer than this. 0: they compute
    /// too.
    clock::duration compute_limit = std::chrono::seconds(10);
};

/// Values that are kept for a while under a name, so that they need not be made again. Make one for the whole
/// application, before it runs:
///
///     rondo::cache cache("memory:");                          // or "redis://127.0.0.1/0"
///     std::string page = co_await cache.get_or_compute("page:7", 30s, [] { return render(7); });
///
/// `memory:` keeps them in each process by itself, the least recently used go when there is no room; Redis keeps them
/// for all. A value may go at any time. Any thread, any loop; the `_sync` functions are for threads without a loop and
/// throw synchronous_only on one; in a sync view they have its request's deadline and end with it. Errors:
/// channels_unavailable when Redis cannot be used, std::invalid_argument for an empty key or a life of nothing.
class cache {
public:
    /// Throws std::invalid_argument when the URL is wrong; an empty one is "memory:". Connects nothing yet.
    explicit cache(std::string_view url = "memory:", cache_options options = {});
    /// The same with a URL that is asked for when it is first needed, see channels.
    explicit cache(std::function<std::string()> url, cache_options options = {});
    ~cache();
    cache(const cache&) = delete;
    cache& operator=(const cache&) = delete;

    [[nodiscard]] task<std::optional<std::string>> get(std::string key);
    /// Keeps the value for `life`; clock::duration::max(): until there is no room.
    [[nodiscard]] task<void> set(std::string key, std::string value, clock::duration life);
    /// False when there was none.
    [[nodiscard]] task<bool> remove(std::string key);

    /// The value, or what `compute` gives: `task<std::string>()` or `std::string()`, which must not block. However many
    /// ask at once, one of them computes (of each process; with Redis of all, within compute_limit) and the others wait
    /// for it. What `compute` throws is thrown to all who wait, and not kept. When the one who computes is cancelled,
    /// the next one computes; who waits may be cancelled without disturbing the others. Works without Redis while that
    /// is away: then each process computes.
    template <class F>
    [[nodiscard]] task<std::string> get_or_compute(std::string key, clock::duration life, F compute);

    [[nodiscard]] std::optional<std::string> get_sync(std::string key);
    void set_sync(std::string key, std::string value, clock::duration life);
    bool remove_sync(std::string key);
    /// `compute`: `std::string()`; may block.
    template <class F>
    [[nodiscard]] std::string get_or_compute_sync(std::string key, clock::duration life, F compute) {
        require_thread();
        return sync_wait(get_or_compute(std::move(key), life, std::move(compute)));
    }

    struct figures {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
        std::uint64_t computed = 0;
        std::uint64_t shared = 0;    ///< got what another computed at that time
        std::uint64_t failures = 0;  ///< get_or_compute() went on without Redis
        std::uint64_t entries = 0;   ///< memory
        std::uint64_t bytes = 0;     ///< memory
        std::uint64_t evicted = 0;   ///< memory: to make room
    };
    /// Of this process.
    [[nodiscard]] figures count() const;

private:
    using value_pointer = std::shared_ptr<const std::string>;

    static void require_thread();
    [[nodiscard]] channels_detail::flights& flying();
    /// The value when it is there; nothing also when the store fails.
    [[nodiscard]] task<std::optional<std::string>> look(const std::string& key);
    [[nodiscard]] task<value_pointer> wait_for(channels_detail::flights::waiting other);
    /// Becomes the one of all processes that computes, or gives what another one computed.
    [[nodiscard]] task<std::optional<std::string>> look_or_lock(const std::string& key, std::string& token);
    [[nodiscard]] task<void> keep(const std::string& key, const std::string& value, clock::duration life);
    void unlock(const std::string& key, const std::string& token) noexcept;
    template <class F>
    [[nodiscard]] task<std::string> lead(const std::string& key, clock::duration life, F& compute);

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
task<std::string> cache::get_or_compute(std::string key, clock::duration life, F compute) {
    static_assert(std::is_same_v<std::invoke_result_t<F&>, task<std::string>> ||
                      std::is_convertible_v<std::invoke_result_t<F&>, std::string>,
                  "a cache computes with task<std::string>() or std::string()");
    while (true) {
        std::optional<std::string> found = co_await look(key);
        if (found) co_return *std::move(found);
        channels_detail::flights::waiting other = flying().join(key);
        if (!other) co_return co_await lead(key, life, compute);
        const value_pointer value = co_await wait_for(std::move(other));
        if (value) co_return *value;
    }
}

template <class F>
task<std::string> cache::lead(const std::string& key, clock::duration life, F& compute) {
    channels_detail::leading flight(flying(), key);
    std::string token;
    std::exception_ptr failure;
    try {
        // It may have come since the look before.
        std::optional<std::string> value = co_await look_or_lock(key, token);
        if (!value) {
            value = co_await channels_detail::call(compute);
            co_await keep(key, *value, life);
        }
        unlock(key, std::exchange(token, {}));
        flight.gave(*value);
        co_return *std::move(value);
    } catch (const cancelled&) {
        failure = std::current_exception();
    } catch (...) {
        failure = std::current_exception();
        flight.failed(failure);
    }
    unlock(key, token);
    std::rethrow_exception(failure);
}

}  // namespace rondo
