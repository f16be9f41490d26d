// SPDX-License-Identifier: Apache-2.0
// The interface between channels and the transport to other processes.
// Implemented in memory_layer.cpp and redis/layer.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/channels/hub.hpp>
#include <rondo/channels/pending_result.hpp>
#include <rondo/channels/url.hpp>

namespace rondo::channels_detail {

/// Carries messages to other processes. Created on first use in each process. Thread-safe, except for destruction.
class layer {
public:
    virtual ~layer() = default;

    [[nodiscard]] virtual hub& subscribers() noexcept = 0;
    /// Sends a message. Returns null when that is done, else an object that settles when it is.
    [[nodiscard]] virtual std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) = 0;
    /// Called when a publish() timed out. Throws channels_unavailable when that is a failure.
    virtual void on_publish_timeout(const std::shared_ptr<pending>& publishing) = 0;
    /// Returns an object that settles once messages published anywhere to this name arrive; null when they do already.
    /// Call after adding the name to the hub.
    [[nodiscard]] virtual std::shared_ptr<pending> confirm_subscription(std::string_view name, bool pattern) = 0;
    /// Called when the confirmation timed out. Throws channels_unavailable when no messages arrive.
    virtual void on_subscribe_timeout() = 0;

    struct statistics {
        std::uint64_t lost = 0;        ///< because another process was too slow
        std::uint64_t reconnects = 0;  ///< Redis only
        std::uint64_t peers = 0;       ///< memory only: processes that messages are sent to
    };
    [[nodiscard]] virtual statistics stats() const = 0;
};

[[nodiscard]] std::unique_ptr<layer> make_memory_layer(std::string_view name);
[[nodiscard]] std::unique_ptr<layer> make_redis_layer(const channels_url& url, clock::duration timeout);

}  // namespace rondo::channels_detail
