// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/layer.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include <rondo/channels/redis/connection.hpp>

namespace rondo::channels_detail {

namespace {

constexpr std::size_t names_per_command = 512;

std::string escaped(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

// Two connections: one for commands, one for subscriptions.
class redis_layer final : public layer {
public:
    redis_layer(const channels_url& url, clock::duration timeout)
        : prefix_(url.prefix),
          hub_([this](std::string_view name, bool pattern, bool subscribe) { on_change(name, pattern, subscribe); }),
          io_(io_thread::shared()),
          publisher_(io_, url, timeout, {}),
          subscriber_(io_, url, timeout,
                      {.on_connected = [this] { resubscribe(); },
                       .on_push = [this](redis_value value) { on_push(std::move(value)); }}) {}

    ~redis_layer() override {
        io_->run([this] {
            for (auto* subscriptions : {&names_, &patterns_})
                for (auto& [wire, entry] : *subscriptions) settle(entry);
        });
    }
    redis_layer(const redis_layer&) = delete;
    redis_layer& operator=(const redis_layer&) = delete;

    hub& subscribers() noexcept override { return hub_; }

    std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) override {
        const std::string name = prefix_ + body->channel;
        std::string bytes;
        append_command(bytes, std::array<std::string_view, 3>{"PUBLISH", name, body->bytes});
        return publisher_.execute(std::move(bytes));
    }
    void on_publish_timeout(const std::shared_ptr<pending>&) override {
        throw channels_unavailable(publisher_.is_connected() ? publisher_.timeout_message() : publisher_.last_error());
    }

    std::shared_ptr<pending> confirm_subscription(std::string_view name, bool pattern) override {
        auto confirmation = std::make_shared<reply<bool>>();
        io_->post([this, confirmation, wire = wire_name(name, pattern), pattern] {
            auto& subscriptions = pattern ? patterns_ : names_;
            const auto found = subscriptions.find(wire);
            if (found == subscriptions.end() || (subscriber_.is_connected() && found->second.is_confirmed()))
                confirmation->settle();
            else found->second.waiters.push_back(confirmation);
        });
        return confirmation;
    }
    void on_subscribe_timeout() override {
        throw channels_unavailable(subscriber_.is_connected() ? subscriber_.timeout_message()
                                                              : subscriber_.last_error());
    }

    statistics stats() const override { return {.lost = 0, .reconnects = subscriber_.reconnects(), .peers = 0}; }

private:
    struct wire_subscription {
        std::string name;  // in the hub
        bool active = true;
        unsigned pending_requests = 0;  // SUBSCRIBE commands without a reply
        std::vector<std::shared_ptr<pending>> waiters;
        [[nodiscard]] bool is_confirmed() const noexcept { return acknowledged && pending_requests == 0; }
        bool acknowledged = false;
    };
    using table = std::map<std::string, wire_subscription, std::less<>>;

    [[nodiscard]] std::string wire_name(std::string_view name, bool pattern) const {
        if (!pattern) return prefix_ + std::string(name);
        return escaped(prefix_, "*?[]\\^") + escaped(name, "[]\\^");
    }

    static void settle(wire_subscription& entry) {
        for (const auto& waiting : std::exchange(entry.waiters, {})) waiting->settle();
    }

    // Called under the hub's mutex, so in the order of the changes.
    void on_change(std::string_view name, bool pattern, bool subscribe) {
        subscriber_.start();
        io_->post(
            [this, name = std::string(name), pattern, subscribe] { update_subscription(name, pattern, subscribe); });
    }

    // ---- on the I/O thread ----

    void update_subscription(const std::string& name, bool pattern, bool subscribe) {
        table& subscriptions = pattern ? patterns_ : names_;
        const std::string wire = wire_name(name, pattern);
        wire_subscription& entry = subscriptions[wire];
        entry.name = name;
        entry.active = subscribe;
        if (!subscribe) settle(entry);
        if (!subscriber_.is_connected()) {
            if (!subscribe) subscriptions.erase(wire);
            return;
        }
        std::string bytes;
        const std::string_view command_name =
            subscribe ? (pattern ? "PSUBSCRIBE" : "SUBSCRIBE") : (pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE");
        append_command(bytes, std::array<std::string_view, 2>{command_name, wire});
        subscriber_.send_without_reply(bytes);
        if (subscribe) ++entry.pending_requests;
        else if (entry.pending_requests == 0) subscriptions.erase(wire);
    }

    void resubscribe() {
        std::string bytes;
        for (table* subscriptions : {&names_, &patterns_}) {
            std::erase_if(*subscriptions, [](const auto& item) { return !item.second.active; });
            std::vector<std::string_view> words;
            const auto flush = [&] {
                if (words.size() > 1) append_command(bytes, words);
                words.assign(1, subscriptions == &patterns_ ? "PSUBSCRIBE" : "SUBSCRIBE");
            };
            flush();
            for (auto& [wire, entry] : *subscriptions) {
                entry.pending_requests = 1;
                words.push_back(wire);
                if (words.size() > names_per_command) flush();
            }
            flush();
        }
        unconfirmed_ = names_.size() + patterns_.size();
        if (!bytes.empty()) subscriber_.send_without_reply(bytes);
    }

    void on_confirmed(table& subscriptions, const std::string& wire) {
        const auto found = subscriptions.find(wire);
        if (found == subscriptions.end()) return;
        wire_subscription& entry = found->second;
        if (entry.pending_requests > 0) --entry.pending_requests;
        entry.acknowledged = true;
        if (entry.pending_requests == 0) settle(entry);
        if (entry.pending_requests == 0 && !entry.active) subscriptions.erase(found);
        // From the last confirmation on no message is lost; report what may have been lost before.
        if (unconfirmed_ > 0 && --unconfirmed_ == 0 && subscriber_.reconnects() > 0) hub_.mark_gap();
    }

    void on_push(redis_value value) {
        if (value.type != redis_value::kind::array || value.items.size() < 3) return;  // the reply to a PING
        const std::string& type = value.items[0].text;
        if (type == "message") {
            hub_.deliver_by_name(make_body(std::move(value.items[1].text), std::move(value.items[2].text)));
        } else if (type == "pmessage" && value.items.size() == 4) {
            if (const auto found = patterns_.find(value.items[1].text); found != patterns_.end())
                hub_.deliver_by_pattern(found->second.name,
                                        make_body(std::move(value.items[2].text), std::move(value.items[3].text)));
        } else if (type == "subscribe") {
            on_confirmed(names_, value.items[1].text);
        } else if (type == "psubscribe") {
            on_confirmed(patterns_, value.items[1].text);
        }
    }

    [[nodiscard]] std::shared_ptr<const message_body> make_body(std::string wire, std::string bytes) const {
        wire.erase(0, prefix_.size());
        return std::make_shared<message_body>(std::move(wire), std::move(bytes));
    }

    const std::string prefix_;
    hub hub_;
    std::shared_ptr<io_thread> io_;
    table names_;  // these three are used on the I/O thread only
    table patterns_;
    std::size_t unconfirmed_ = 0;
    redis_connection publisher_;
    redis_connection subscriber_;
};

}  // namespace

std::unique_ptr<layer> make_redis_layer(const channels_url& url, clock::duration timeout) {
    return std::make_unique<redis_layer>(url, timeout);
}

}  // namespace rondo::channels_detail
