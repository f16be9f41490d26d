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
          hub_([this](std::string_view name, bool pattern, bool wanted) { changed(name, pattern, wanted); }),
          io_(io_thread::shared()),
          commands_(io_, url, timeout, {}),
          arriving_(io_, url, timeout,
                    {.connected = [this] { subscribe_again(); },
                     .pushed = [this](redis_value value) { take(std::move(value)); }}) {}

    ~redis_layer() override {
        io_->run([this] {
            for (auto* in : {&names_, &patterns_})
                for (auto& [wire, entry] : *in) settle(entry);
        });
    }
    redis_layer(const redis_layer&) = delete;
    redis_layer& operator=(const redis_layer&) = delete;

    hub& subscribers() noexcept override { return hub_; }

    std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body) override {
        const std::string name = prefix_ + body->channel;
        std::string bytes;
        append_command(bytes, std::array<std::string_view, 3>{"PUBLISH", name, body->bytes});
        return commands_.ask(std::move(bytes));
    }
    void gave_up(const std::shared_ptr<pending>&) override {
        throw channels_unavailable(commands_.connected() ? commands_.late() : commands_.trouble());
    }

    std::shared_ptr<pending> arrives(std::string_view name, bool pattern) override {
        auto confirmation = std::make_shared<reply<bool>>();
        io_->post([this, confirmation, wire = on_wire(name, pattern), pattern] {
            auto& in = pattern ? patterns_ : names_;
            const auto found = in.find(wire);
            if (found == in.end() || (arriving_.connected() && found->second.confirmed())) confirmation->settle();
            else found->second.waiting.push_back(confirmation);
        });
        return confirmation;
    }
    void does_not_arrive() override {
        throw channels_unavailable(arriving_.connected() ? arriving_.late() : arriving_.trouble());
    }

    figures count() const override { return {.lost = 0, .reconnects = arriving_.reconnects(), .others = 0}; }

private:
    struct subscribed {
        std::string name;  // in the hub
        bool wanted = true;
        unsigned asked = 0;  // SUBSCRIBE commands without a reply
        std::vector<std::shared_ptr<pending>> waiting;
        [[nodiscard]] bool confirmed() const noexcept { return told && asked == 0; }
        bool told = false;
    };
    using table = std::map<std::string, subscribed, std::less<>>;

    [[nodiscard]] std::string on_wire(std::string_view name, bool pattern) const {
        if (!pattern) return prefix_ + std::string(name);
        return escaped(prefix_, "*?[]\\^") + escaped(name, "[]\\^");
    }

    static void settle(subscribed& entry) {
        for (const auto& waiting : std::exchange(entry.waiting, {})) waiting->settle();
    }

    // Called under the hub's mutex, so in the order of the changes.
    void changed(std::string_view name, bool pattern, bool wanted) {
        arriving_.start();
        io_->post([this, name = std::string(name), pattern, wanted] { want(name, pattern, wanted); });
    }

    // ---- on the I/O thread ----

    void want(const std::string& name, bool pattern, bool wanted) {
        table& in = pattern ? patterns_ : names_;
        const std::string wire = on_wire(name, pattern);
        subscribed& entry = in[wire];
        entry.name = name;
        entry.wanted = wanted;
        if (!wanted) settle(entry);
        if (!arriving_.connected()) {
            if (!wanted) in.erase(wire);
            return;
        }
        std::string bytes;
        const std::string_view word =
            wanted ? (pattern ? "PSUBSCRIBE" : "SUBSCRIBE") : (pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE");
        append_command(bytes, std::array<std::string_view, 2>{word, wire});
        arriving_.tell(bytes);
        if (wanted) ++entry.asked;
        else if (entry.asked == 0) in.erase(wire);
    }

    void subscribe_again() {
        std::string bytes;
        for (table* in : {&names_, &patterns_}) {
            std::erase_if(*in, [](const auto& item) { return !item.second.wanted; });
            std::vector<std::string_view> words;
            const auto flush = [&] {
                if (words.size() > 1) append_command(bytes, words);
                words.assign(1, in == &patterns_ ? "PSUBSCRIBE" : "SUBSCRIBE");
            };
            flush();
            for (auto& [wire, entry] : *in) {
                entry.asked = 1;
                words.push_back(wire);
                if (words.size() > names_per_command) flush();
            }
            flush();
        }
        unconfirmed_ = names_.size() + patterns_.size();
        if (!bytes.empty()) arriving_.tell(bytes);
    }

    void confirmed(table& in, const std::string& wire) {
        const auto found = in.find(wire);
        if (found == in.end()) return;
        subscribed& entry = found->second;
        if (entry.asked > 0) --entry.asked;
        entry.told = true;
        if (entry.asked == 0) settle(entry);
        if (entry.asked == 0 && !entry.wanted) in.erase(found);
        // From the last confirmation on no message is lost; report what may have been lost before.
        if (unconfirmed_ > 0 && --unconfirmed_ == 0 && arriving_.reconnects() > 0) hub_.mark_gap();
    }

    void take(redis_value value) {
        if (value.what != redis_value::kind::array || value.items.size() < 3) return;  // the reply to a PING
        const std::string& type = value.items[0].text;
        if (type == "message") {
            hub_.deliver_by_name(body_of(std::move(value.items[1].text), std::move(value.items[2].text)));
        } else if (type == "pmessage" && value.items.size() == 4) {
            if (const auto found = patterns_.find(value.items[1].text); found != patterns_.end())
                hub_.deliver_by_pattern(found->second.name,
                                        body_of(std::move(value.items[2].text), std::move(value.items[3].text)));
        } else if (type == "subscribe") {
            confirmed(names_, value.items[1].text);
        } else if (type == "psubscribe") {
            confirmed(patterns_, value.items[1].text);
        }
    }

    [[nodiscard]] std::shared_ptr<const message_body> body_of(std::string wire, std::string bytes) const {
        wire.erase(0, prefix_.size());
        return std::make_shared<message_body>(std::move(wire), std::move(bytes));
    }

    const std::string prefix_;
    hub hub_;
    std::shared_ptr<io_thread> io_;
    table names_;  // these three are used on the I/O thread only
    table patterns_;
    std::size_t unconfirmed_ = 0;
    redis_connection commands_;
    redis_connection arriving_;
};

}  // namespace

std::unique_ptr<layer> make_redis_layer(const channels_url& url, clock::duration timeout) {
    return std::make_unique<redis_layer>(url, timeout);
}

}  // namespace rondo::channels_detail
