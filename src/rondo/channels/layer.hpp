// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/channels/hub.hpp>
#include <rondo/channels/reply.hpp>
#include <rondo/channels/url.hpp>

namespace rondo::channels_detail {

/// How messages reach the other processes. Made when first used, in the process that uses it. Any thread, except that
/// nobody uses it while it is destroyed.
class layer {
public:
    virtual ~layer() = default;

    [[nodiscard]] virtual hub& subscribers() noexcept = 0;
    /// Sends; null when it is done, else what tells when it is.
    [[nodiscard]] virtual std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) = 0;
    /// The time for a publish() is over. Throws channels_unavailable when that is a failure.
    virtual void gave_up(const std::shared_ptr<pending>& publishing) = 0;
    /// What tells when everything published anywhere from then on to this name arrives; null when that is so already.
    /// To be asked after the hub was told.
    [[nodiscard]] virtual std::shared_ptr<pending> arrives(std::string_view name, bool pattern) = 0;
    /// The time for that is over. Throws channels_unavailable when nothing arrives.
    virtual void does_not_arrive() = 0;

    struct figures {
        std::uint64_t lost = 0;        ///< messages that another process was too slow for
        std::uint64_t reconnects = 0;  ///< Redis
        std::uint64_t others = 0;      ///< processes it sends to, memory
    };
    [[nodiscard]] virtual figures count() const = 0;
};

[[nodiscard]] std::unique_ptr<layer> make_memory_layer(std::string_view name);
[[nodiscard]] std::unique_ptr<layer> make_redis_layer(const channels_url& url, clock::duration patience);

}  // namespace rondo::channels_detail
