// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/channels.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/channels/layer.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo {

namespace channels_detail {

class channels_state {
public:
    channels_state(std::function<std::string()> url, channels_options options)
        : url_source_(std::move(url)), options_(options) {}

    ~channels_state() {
        if (owner_pid_ != getpid()) [[maybe_unused]]
            auto* abandoned = layer_.release();  // belongs to the parent process
    }
    channels_state(const channels_state&) = delete;
    channels_state& operator=(const channels_state&) = delete;

    /// Created on first use in this process.
    [[nodiscard]] layer& get_layer() {
        const std::scoped_lock lock(mutex_);
        if (layer_ && owner_pid_ == getpid()) return *layer_;
        [[maybe_unused]] auto* inherited = layer_.release();
        const channels_url& to = resolve_url();
        layer_ = to.backend == channels_url::kind::memory ? make_memory_layer(to.name)
                                                          : make_redis_layer(to, options_.timeout);
        owner_pid_ = getpid();
        return *layer_;
    }
    [[nodiscard]] layer* layer_if_created() {
        const std::scoped_lock lock(mutex_);
        return owner_pid_ == getpid() ? layer_.get() : nullptr;
    }

    [[nodiscard]] std::shared_ptr<pending> publish(layer& to, std::string name, std::string bytes) {
        if (name.empty()) throw std::invalid_argument("cannot publish: empty channel name");
        // Names may come from clients; a longer one would break the connections to the other workers.
        if (name.size() > max_channel_name) {
            throw std::invalid_argument(
                fmt::format("channel name has {} bytes; at most {} are allowed", name.size(), max_channel_name));
        }
        const std::uint64_t limit = std::min<std::uint64_t>(options_.max_message_bytes, max_message);
        if (bytes.size() > limit) {
            throw std::invalid_argument(fmt::format(
                "message to '{}' has {} bytes; at most {} are allowed (channels_options::max_message_bytes)", name,
                bytes.size(), limit));
        }
        published.fetch_add(1, std::memory_order_relaxed);
        return to.publish(std::make_shared<message_body>(std::move(name), std::move(bytes)));
    }

    [[nodiscard]] const channels_url& url() {
        const std::scoped_lock lock(mutex_);
        return resolve_url();
    }
    [[nodiscard]] instant deadline() const noexcept { return from_now(options_.timeout); }

    [[nodiscard]] channels::statistics stats() {
        channels::statistics sum{.published = published.load(std::memory_order_relaxed)};
        layer* const used_layer = layer_if_created();
        if (used_layer == nullptr) return sum;
        const hub& local = used_layer->subscribers();
        const layer::statistics remote = used_layer->stats();
        sum.delivered = local.delivered();
        sum.dropped = local.dropped();
        sum.subscriptions = local.subscriptions();
        sum.lost = remote.lost;
        sum.reconnects = remote.reconnects;
        sum.peers = remote.peers;
        return sum;
    }

    std::atomic<std::uint64_t> published{0};

private:
    static constexpr metric_descriptor metric_descriptors[] = {
        {"published", "Messages published."},
        {"delivered", "Messages delivered to a subscriber's mailbox."},
        {"dropped", "Messages dropped because a subscriber was too slow."},
        {"lost", "Messages lost because another process was too slow."},
        {"reconnects", "Reconnections to Redis."},
        {"subscriptions", "Subscribed names and patterns, counted per subscriber.", false},
        {"peers", "Other processes that messages are sent to.", false},
    };
    bool write_stats(std::span<std::uint64_t> to) {
        if (layer_if_created() == nullptr) return false;
        const channels::statistics s = stats();
        std::ranges::copy(
            std::array{s.published, s.delivered, s.dropped, s.lost, s.reconnects, s.subscriptions, s.peers},
            to.begin());
        return true;
    }

    const channels_url& resolve_url() {
        if (!url_) {
            const std::string text = url_source_();
            url_ = channels_url::parse(text.empty() ? "memory:" : text);
        }
        return *url_;
    }

    const std::function<std::string()> url_source_;
    std::optional<channels_url> url_;
    const channels_options options_;
    std::mutex mutex_;
    std::unique_ptr<layer> layer_;
    pid_t owner_pid_ = 0;
    const stats_source stats_source_{"channels", metric_descriptors, [this] { return url().text(); },
                                     [this](std::span<std::uint64_t> to) { return write_stats(to); }};
};

}  // namespace channels_detail

subscription::subscription(std::shared_ptr<channels_detail::channels_state> state, subscription_options options)
    : state_(std::move(state)), mailbox_(std::make_shared<channels_detail::mailbox>(options)) {}

subscription::~subscription() {
    if (!state_) return;
    if (channels_detail::layer* layer = state_->layer_if_created()) layer->subscribers().remove(mailbox_);
}

void subscription::register_name(std::string_view name, bool pattern) {
    if (name.empty()) throw std::invalid_argument("cannot subscribe: empty channel name");
    (void)state_->get_layer().subscribers().add(mailbox_, name, pattern);
}

task<void> subscription::wait_for_confirmation(std::string name, bool pattern) {
    channels_detail::layer& layer = state_->get_layer();
    const std::shared_ptr<channels_detail::pending> confirmation = layer.confirm_subscription(name, pattern);
    if (!confirmation) co_return;
    const bool in_time = co_await confirmation->wait(state_->deadline());
    if (!in_time) layer.on_subscribe_timeout();
}

task<void> subscription::subscribe(std::string name) {
    register_name(name, false);
    return wait_for_confirmation(std::move(name), false);
}

task<void> subscription::subscribe_pattern(std::string pattern) {
    register_name(pattern, true);
    return wait_for_confirmation(std::move(pattern), true);
}

void subscription::unsubscribe(std::string_view name) {
    state_->get_layer().subscribers().remove(mailbox_, name, false);
}
void subscription::unsubscribe_pattern(std::string_view pattern) {
    state_->get_layer().subscribers().remove(mailbox_, pattern, true);
}

channels::channels(std::string_view url, channels_options options)
    : channels([text = std::string(url)] { return text; }, options) {
    (void)state_->url();
}
channels::channels(std::function<std::string()> url, channels_options options)
    : state_(std::make_shared<channels_detail::channels_state>(std::move(url), options)) {}
channels::~channels() = default;

const channels_url& channels::url() const { return state_->url(); }

task<void> channels::publish(std::string name, std::string bytes) {
    channels_detail::layer& layer = state_->get_layer();
    const std::shared_ptr<channels_detail::pending> sent = state_->publish(layer, std::move(name), std::move(bytes));
    if (!sent) co_return;
    const bool in_time = co_await sent->wait(state_->deadline());
    if (!in_time) layer.on_publish_timeout(sent);
}

void channels::publish_sync(std::string_view name, std::string_view bytes) {
    require_blocking_allowed("channels::publish_sync");
    channels_detail::layer& layer = state_->get_layer();
    const std::shared_ptr<channels_detail::pending> sent =
        state_->publish(layer, std::string(name), std::string(bytes));
    if (sent && !sent->wait_sync(state_->deadline())) layer.on_publish_timeout(sent);
}

subscription channels::open(subscription_options options) { return {state_, options}; }

namespace {

async_generator<channel_message> receive_all(subscription from, std::vector<std::string> names, bool pattern) {
    for (std::string& name : names) {
        if (pattern) co_await from.subscribe_pattern(std::move(name));
        else co_await from.subscribe(std::move(name));
    }
    while (true) {
        channel_message next = co_await from.next();
        co_yield std::move(next);
    }
}

}  // namespace

async_generator<channel_message> channels::receive(std::vector<std::string> names, bool pattern,
                                                   subscription_options options) {
    subscription opened = open(options);
    for (const std::string& name : names) opened.register_name(name, pattern);
    return receive_all(std::move(opened), std::move(names), pattern);
}

async_generator<channel_message> channels::subscribe(std::string name, subscription_options options) {
    std::vector<std::string> names;
    names.push_back(std::move(name));
    return receive(std::move(names), false, options);
}

async_generator<channel_message> channels::subscribe(std::vector<std::string> names, subscription_options options) {
    return receive(std::move(names), false, options);
}

async_generator<channel_message> channels::subscribe_pattern(std::string pattern, subscription_options options) {
    std::vector<std::string> names;
    names.push_back(std::move(pattern));
    return receive(std::move(names), true, options);
}

channels::statistics channels::stats() const { return state_->stats(); }

}  // namespace rondo
