// SPDX-License-Identifier: Apache-2.0
// The interface between a cache and the place where its values are stored.
// Implemented in memory_store.cpp and redis/store.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/channels/pending_result.hpp>
#include <rondo/channels/url.hpp>

namespace rondo::channels_detail {

/// The result of an operation.
struct store_result {
    bool ok = false;  ///< found, set, or removed
    std::string value;
};

/// Stores the values of a cache. Thread-safe. An operation returns its result at once, or sets `deferred`: then
/// result_of() returns it once that has settled.
class cache_store {
public:
    virtual ~cache_store() = default;

    [[nodiscard]] virtual store_result get(std::string_view key, std::shared_ptr<pending>& deferred) = 0;
    /// `only_new`: keeps an existing value.
    [[nodiscard]] virtual store_result set(std::string_view key, std::string value, clock::duration ttl, bool only_new,
                                           std::shared_ptr<pending>& deferred) = 0;
    /// Removes only a value equal to `expected`, unless that is null.
    [[nodiscard]] virtual store_result remove(std::string_view key, const std::string* expected,
                                              std::shared_ptr<pending>& deferred) = 0;
    [[nodiscard]] virtual store_result result_of(pending& settled) = 0;
    /// Throws channels_unavailable for a reply that did not arrive in time.
    [[noreturn]] virtual void throw_timed_out() const = 0;

    /// Whether other processes share the store.
    [[nodiscard]] virtual bool is_shared() const noexcept = 0;

    struct statistics {
        std::uint64_t entries = 0;  ///< memory only
        std::uint64_t bytes = 0;
        std::uint64_t evicted = 0;  ///< removed to make room
    };
    [[nodiscard]] virtual statistics stats() const = 0;
};

[[nodiscard]] std::unique_ptr<cache_store> make_memory_store(std::size_t bytes);
[[nodiscard]] std::unique_ptr<cache_store> make_redis_store(const channels_url& url, clock::duration timeout);

}  // namespace rondo::channels_detail
