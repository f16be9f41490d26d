// SPDX-License-Identifier: Apache-2.0
// Publish and subscribe between views, workers and machines.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/channels/error.hpp>
#include <rondo/channels/mailbox.hpp>
#include <rondo/channels/message.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/task.hpp>

namespace rondo {

namespace channels_detail {
class channels_state;
}  // namespace channels_detail

struct channels_options {
    /// How long publish() and subscribing wait for Redis, or for a worker that does not read. A connection to Redis is
    /// closed and reopened after twice this time without input.
    clock::duration timeout = std::chrono::seconds(5);
    std::size_t max_message_bytes = 16u << 20;  ///< bytes of one message; never more than 1 GiB
};

/// The mailbox of one subscriber, for any number of names (a *group* is a name with several subscribers). Use on one
/// loop thread only. The destructor unsubscribes from everything. Must not outlive its `channels`.
///
///     rondo::subscription room = channels.open();
///     co_await room.subscribe("room-7");
///     for (;;) {
///         rondo::channel_message m = co_await room.next();
///         ...
///     }
class subscription {
public:
    subscription(subscription&&) noexcept = default;
    subscription& operator=(subscription&&) = delete;
    ~subscription();

    /// After it returns, every message published anywhere arrives. Throws channels_unavailable (the name stays
    /// subscribed and works once Redis is back), std::invalid_argument for an empty name.
    [[nodiscard]] task<void> subscribe(std::string name);
    /// `*` matches any bytes, `?` one. A message that matches several names and patterns of a subscription arrives
    /// once.
    [[nodiscard]] task<void> subscribe_pattern(std::string pattern);
    /// No further messages arrive for this name or pattern; those already queued can still be received.
    void unsubscribe(std::string_view name);
    void unsubscribe_pattern(std::string_view pattern);

    /// `co_await s.next()` returns a channel_message. Throws subscriber_too_slow and `cancelled`. One caller at a time.
    [[nodiscard("co_await it")]] channels_detail::mailbox::wait next() noexcept { return mailbox_->receive(); }

private:
    friend class channels;
    subscription(std::shared_ptr<channels_detail::channels_state> state, subscription_options options);
    void register_name(std::string_view name, bool pattern);
    [[nodiscard]] task<void> wait_for_confirmation(std::string name, bool pattern);

    std::shared_ptr<channels_detail::channels_state> state_;
    std::shared_ptr<channels_detail::mailbox> mailbox_;
};

/// Messages between views, workers and machines: a message published to a name reaches all its current subscribers; it
/// is not stored for later ones. Create one for the whole application, before it runs:
///
///     rondo::channels channels("memory:");                     // or "redis://127.0.0.1/0"
///     co_await channels.publish("room-7", "hello");
///     auto messages = channels.subscribe("room-7");
///     while (rondo::channel_message* m = co_await messages.next()) ...
///
/// `memory:` reaches all worker processes of one server, Redis all machines. Messages of one publisher (a thread, or a
/// coroutine that awaits each publish) arrive in order everywhere. Delivery is at most once: a message is lost when a
/// subscriber does not keep up, when a process does not read for `timeout`, or while Redis is unavailable; the
/// subscriber is notified, see channel_message. Connects on first use, in each process. Thread-safe; subscribers may be
/// on any loop.
class channels {
public:
    /// Throws std::invalid_argument when the URL is invalid; an empty one is "memory:". Connects on first use.
    explicit channels(std::string_view url = "memory:", channels_options options = {});
    /// Calls `url` on first use: for a URL from the settings, which are not loaded yet.
    ///
    ///     rondo::channels channels([&app] { return app.settings().channels_url; });
    explicit channels(std::function<std::string()> url, channels_options options = {});
    ~channels();
    channels(const channels&) = delete;
    channels& operator=(const channels&) = delete;

    /// Sends to all subscribers. Returns when the message survives the exit of this process: memory: once the kernel
    /// has it for every worker; Redis: once the server has replied. Throws channels_unavailable (if the connection
    /// broke, the message may have been sent), std::invalid_argument when the name is empty or name or message are too
    /// large, `cancelled`.
    [[nodiscard]] task<void> publish(std::string name, std::string bytes);
    /// Blocking variant for sync views: inherits the deadline of the request, throws `cancelled` when its client
    /// disconnects, synchronous_only on a loop thread.
    void publish_sync(std::string_view name, std::string_view bytes);

    /// Yields the messages published from now on. With Redis, the first next() waits for the server to confirm and
    /// throws like subscription::subscribe(). Never ends by itself.
    [[nodiscard]] async_generator<channel_message> subscribe(std::string name, subscription_options options = {});
    [[nodiscard]] async_generator<channel_message> subscribe(std::vector<std::string> names,
                                                             subscription_options options = {});
    [[nodiscard]] async_generator<channel_message> subscribe_pattern(std::string pattern,
                                                                     subscription_options options = {});
    /// A subscription without names.
    [[nodiscard]] subscription open(subscription_options options = {});

    struct statistics {
        std::uint64_t published = 0;
        std::uint64_t delivered = 0;   ///< to subscribers of this process
        std::uint64_t dropped = 0;     ///< because subscribers of this process were too slow
        std::uint64_t lost = 0;        ///< because other processes were too slow
        std::uint64_t reconnects = 0;  ///< to Redis
        std::uint64_t subscriptions = 0;
        std::uint64_t peers = 0;  ///< other processes that messages are sent to
    };
    /// Counters of this process.
    [[nodiscard]] statistics stats() const;

    [[nodiscard]] const channels_url& url() const;

private:
    [[nodiscard]] async_generator<channel_message> receive(std::vector<std::string> names, bool pattern,
                                                           subscription_options options);

    std::shared_ptr<channels_detail::channels_state> state_;
};

}  // namespace rondo
