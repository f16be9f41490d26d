// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/channels/layer.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/peers.hpp>

namespace rondo::channels_detail {

namespace {

class memory_layer final : public layer {
public:
    explicit memory_layer(std::string_view name) {
        if (peer_discovery::name().empty()) return;
        peers_.emplace(fmt::format("{}/{}/", peer_discovery::name(), name),
                       peers::event_handlers{.on_message = [this](const auto& body) { hub_.deliver(body); },
                                             .on_gap = [this] { hub_.mark_gap(); }});
    }

    hub& subscribers() noexcept override { return hub_; }

    std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) override {
        hub_.deliver(body);
        return peers_ ? peers_->publish(body) : nullptr;
    }
    void on_publish_timeout(const std::shared_ptr<pending>& publishing) override {
        peers_->on_publish_timeout(publishing);
    }
    std::shared_ptr<pending> confirm_subscription(std::string_view, bool) override {
        return peers_ ? peers_->when_joined() : nullptr;
    }
    // Messages of the other workers still arrive.
    void on_subscribe_timeout() override {
        log::warning("channels: another worker did not respond in time; its messages may not arrive yet");
    }
    statistics stats() const override {
        return peers_ ? statistics{.lost = peers_->missed(), .reconnects = 0, .peers = peers_->size()} : statistics();
    }

private:
    hub hub_;
    std::optional<peers> peers_;  // destroyed before the hub
};

}  // namespace

std::unique_ptr<layer> make_memory_layer(std::string_view name) { return std::make_unique<memory_layer>(name); }

}  // namespace rondo::channels_detail
