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
#include <rondo/coro/blocking.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo {

namespace channels_detail {

class channels_state {
public:
    channels_state(std::function<std::string()> url, channels_options options)
        : ask_(std::move(url)), options_(options) {}

    ~channels_state() {
        if (made_by_ != getpid()) [[maybe_unused]]
            auto* abandoned = layer_.release();  // belongs to the parent process
    }
    channels_state(const channels_state&) = delete;
    channels_state& operator=(const channels_state&) = delete;

    /// Created on first use in this process.
    [[nodiscard]] layer& use() {
        const std::scoped_lock lock(mutex_);
        if (layer_ && made_by_ == getpid()) return *layer_;
        [[maybe_unused]] auto* parents = layer_.release();
        const channels_url& to = known_url();
        layer_ = to.where == channels_url::kind::memory ? make_memory_layer(to.name)
                                                        : make_redis_layer(to, options_.patience);
        made_by_ = getpid();
        return *layer_;
    }
    [[nodiscard]] layer* used() {
        const std::scoped_lock lock(mutex_);
        return made_by_ == getpid() ? layer_.get() : nullptr;
    }

    [[nodiscard]] std::shared_ptr<pending> publish(layer& to, std::string name, std::string bytes) {
        if (name.empty()) throw std::invalid_argument("cannot publish: empty channel name");
        // Names may come from clients; a longer one would break the connections to the other workers.
        if (name.size() > largest_channel_name) {
            throw std::invalid_argument(
                fmt::format("channel name has {} bytes; at most {} are allowed", name.size(), largest_channel_name));
        }
        const std::uint64_t limit = std::min<std::uint64_t>(options_.max_message, largest_message);
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
        return known_url();
    }
    [[nodiscard]] instant end_of_patience() const noexcept { return from_now(options_.patience); }

    [[nodiscard]] channels::figures count() {
        channels::figures all{.published = published.load(std::memory_order_relaxed)};
        layer* const used_layer = used();
        if (used_layer == nullptr) return all;
        const hub& local = used_layer->subscribers();
        const layer::figures remote = used_layer->count();
        all.delivered = local.delivered();
        all.dropped = local.dropped();
        all.subscriptions = local.subscriptions();
        all.lost = remote.lost;
        all.reconnects = remote.reconnects;
        all.others = remote.others;
        return all;
    }

    std::atomic<std::uint64_t> published{0};

private:
    static constexpr figure_text texts[] = {
        {"published", "Messages published."},
        {"delivered", "Messages delivered to a subscriber's mailbox."},
        {"dropped", "Messages dropped because a subscriber was too slow."},
        {"lost", "Messages lost because another process was too slow."},
        {"reconnects", "Reconnections to Redis."},
        {"subscriptions", "Subscribed names and patterns, counted per subscriber.", false},
        {"peers", "Other processes that messages are sent to.", false},
    };
    bool tell(std::span<std::uint64_t> to) {
        if (used() == nullptr) return false;
        const channels::figures f = count();
        std::ranges::copy(
            std::array{f.published, f.delivered, f.dropped, f.lost, f.reconnects, f.subscriptions, f.others},
            to.begin());
        return true;
    }

    const channels_url& known_url() {
        if (!url_) {
            const std::string text = ask_();
            url_ = channels_url::parse(text.empty() ? "memory:" : text);
        }
        return *url_;
    }

    const std::function<std::string()> ask_;
    std::optional<channels_url> url_;
    const channels_options options_;
    std::mutex mutex_;
    std::unique_ptr<layer> layer_;
    pid_t made_by_ = 0;
    const observed told_{"channels", texts, [this] { return url().text(); },
                         [this](std::span<std::uint64_t> to) { return tell(to); }};
};

}  // namespace channels_detail

subscription::subscription(std::shared_ptr<channels_detail::channels_state> state, subscription_options options)
    : of_(std::move(state)), box_(std::make_shared<channels_detail::mailbox>(options)) {}

subscription::~subscription() {
    if (!of_) return;
    if (channels_detail::layer* layer = of_->used()) layer->subscribers().remove(box_);
}

void subscription::join(std::string_view name, bool pattern) {
    if (name.empty()) throw std::invalid_argument("cannot subscribe: empty channel name");
    (void)of_->use().subscribers().add(box_, name, pattern);
}

task<void> subscription::arrives(std::string name, bool pattern) {
    channels_detail::layer& layer = of_->use();
    const std::shared_ptr<channels_detail::pending> confirmation = layer.arrives(name, pattern);
    if (!confirmation) co_return;
    const bool in_time = co_await confirmation->wait(of_->end_of_patience());
    if (!in_time) layer.does_not_arrive();
}

task<void> subscription::add(std::string name) {
    join(name, false);
    return arrives(std::move(name), false);
}

task<void> subscription::add_pattern(std::string pattern) {
    join(pattern, true);
    return arrives(std::move(pattern), true);
}

void subscription::discard(std::string_view name) { of_->use().subscribers().remove(box_, name, false); }
void subscription::discard_pattern(std::string_view pattern) { of_->use().subscribers().remove(box_, pattern, true); }

channels::channels(std::string_view url, channels_options options)
    : channels([text = std::string(url)] { return text; }, options) {
    (void)state_->url();
}
channels::channels(std::function<std::string()> url, channels_options options)
    : state_(std::make_shared<channels_detail::channels_state>(std::move(url), options)) {}
channels::~channels() = default;

const channels_url& channels::url() const { return state_->url(); }

task<void> channels::publish(std::string name, std::string bytes) {
    channels_detail::layer& layer = state_->use();
    const std::shared_ptr<channels_detail::pending> sent = state_->publish(layer, std::move(name), std::move(bytes));
    if (!sent) co_return;
    const bool in_time = co_await sent->wait(state_->end_of_patience());
    if (!in_time) layer.gave_up(sent);
}

void channels::publish_sync(std::string_view name, std::string_view bytes) {
    require_blocking_allowed("channels::publish_sync");
    channels_detail::layer& layer = state_->use();
    const std::shared_ptr<channels_detail::pending> sent =
        state_->publish(layer, std::string(name), std::string(bytes));
    if (sent && !sent->wait_sync(state_->end_of_patience())) layer.gave_up(sent);
}

subscription channels::open(subscription_options options) { return {state_, options}; }

namespace {

async_generator<channel_message> receive_all(subscription from, std::vector<std::string> names, bool pattern) {
    for (std::string& name : names) {
        if (pattern) co_await from.add_pattern(std::move(name));
        else co_await from.add(std::move(name));
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
    for (const std::string& name : names) opened.join(name, pattern);
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

channels::figures channels::count() const { return state_->count(); }

}  // namespace rondo
