// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/channels/reply.hpp>
#include <rondo/channels/url.hpp>

namespace rondo::channels_detail {

/// What a store answers.
struct cached {
    bool good = false;  ///< it was there; it was set; it was removed
    std::string value;
};

/// Where a cache keeps its values. Any thread. A question is answered at once, or `later` is set: then read() tells
/// when that has settled.
class cache_store {
public:
    virtual ~cache_store() = default;

    [[nodiscard]] virtual cached get(std::string_view key, std::shared_ptr<pending>& later) = 0;
    /// `only_new`: not when there is one already.
    [[nodiscard]] virtual cached set(std::string_view key, std::string value, clock::duration life, bool only_new,
                                     std::shared_ptr<pending>& later) = 0;
    /// Only when its value is `expected`, unless that is null.
    [[nodiscard]] virtual cached remove(std::string_view key, const std::string* expected,
                                        std::shared_ptr<pending>& later) = 0;
    [[nodiscard]] virtual cached read(pending& settled) = 0;
    /// Throws channels_unavailable for an answer that did not come in time.
    [[noreturn]] virtual void late() const = 0;

    /// Whether other processes share it.
    [[nodiscard]] virtual bool shared() const noexcept = 0;

    struct figures {
        std::uint64_t entries = 0;  ///< memory
        std::uint64_t bytes = 0;
        std::uint64_t evicted = 0;  ///< to make room
    };
    [[nodiscard]] virtual figures count() const = 0;
};

[[nodiscard]] std::unique_ptr<cache_store> make_memory_store(std::size_t bytes);
[[nodiscard]] std::unique_ptr<cache_store> make_redis_store(const channels_url& url, clock::duration patience);

}  // namespace rondo::channels_detail
