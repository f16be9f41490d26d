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
        if (rendezvous::name().empty()) return;
        mesh_.emplace(fmt::format("{}/{}/", rendezvous::name(), name),
                      mesh::sink{.message = [this](const auto& body) { hub_.deliver(body); },
                                 .gap = [this] { hub_.mark_gap(); }});
    }

    hub& subscribers() noexcept override { return hub_; }

    std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) override {
        hub_.deliver(body);
        return mesh_ ? mesh_->publish(body) : nullptr;
    }
    void gave_up(const std::shared_ptr<pending>& publishing) override { mesh_->gave_up(publishing); }
    std::shared_ptr<pending> arrives(std::string_view, bool) override { return mesh_ ? mesh_->joined() : nullptr; }
    // Messages of the other workers still arrive.
    void does_not_arrive() override {
        log::warning("channels: another worker did not respond in time; its messages may not arrive yet");
    }
    figures count() const override {
        return mesh_ ? figures{.lost = mesh_->missed(), .reconnects = 0, .others = mesh_->members()} : figures();
    }

private:
    hub hub_;
    std::optional<mesh> mesh_;  // destroyed before the hub
};

}  // namespace

std::unique_ptr<layer> make_memory_layer(std::string_view name) { return std::make_unique<memory_layer>(name); }

}  // namespace rondo::channels_detail
