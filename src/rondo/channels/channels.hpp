// SPDX-License-Identifier: Apache-2.0
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
    /// How long publish() and the beginning of a subscription wait for Redis, or for a worker that does not read. A
    /// Redis that says nothing for twice as long is left and connected to anew.
    clock::duration patience = std::chrono::seconds(5);
    std::size_t max_message = 16u << 20;  ///< bytes of one message; 1 GiB whatever is said here
};

/// What one subscriber receives: a mailbox that any number of names lead to (a *group* is a name that several add).
/// Belongs to the thread of one loop. Its end takes it off all names. Must not outlive its `channels`.
///
///     rondo::subscription mine = channels.open();
///     co_await mine.add("room-7");
///     for (;;) {
///         rondo::channel_message m = co_await mine.next();
///         ...
///     }
class subscription {
public:
    subscription(subscription&&) noexcept = default;
    subscription& operator=(subscription&&) = delete;
    ~subscription();

    /// When it returns, everything published from then on, by whoever, arrives. Throws channels_unavailable (the name
    /// is added all the same and works when the server is back), std::invalid_argument for an empty name.
    [[nodiscard]] task<void> add(std::string name);
    /// `*` stands for any bytes, `?` for one. A message to several names and patterns of one subscription arrives once.
    [[nodiscard]] task<void> add_pattern(std::string pattern);
    /// Nothing more arrives by this name, or pattern; what waits already can still be received.
    void discard(std::string_view name);
    void discard_pattern(std::string_view pattern);

    /// `co_await s.next()`: a channel_message. Throws subscriber_too_slow, and `cancelled`. One at a time.
    [[nodiscard("co_await it")]] channels_detail::mailbox::wait next() noexcept { return box_->take(); }

private:
    friend class channels;
    subscription(std::shared_ptr<channels_detail::channels_state> of, subscription_options options);
    void join(std::string_view name, bool pattern);
    [[nodiscard]] task<void> arrives(std::string name, bool pattern);

    std::shared_ptr<channels_detail::channels_state> of_;
    std::shared_ptr<channels_detail::mailbox> box_;
};

/// Messages between views, workers and machines: what is published to a name reaches everyone who subscribed to it.
/// Nothing is kept for those who come later. Make one for the whole application, before it runs:
///
///     rondo::channels channels("memory:");                     // or "redis://127.0.0.1/0"
///     co_await channels.publish("room-7", "hello");
///     auto messages = channels.subscribe("room-7");
///     while (rondo::channel_message* m = co_await messages.next()) ...
///
/// `memory:` reaches all worker processes of one server, Redis all machines. Order: what one publisher (a coroutine
/// that awaits each, a thread) publishes arrives in that order everywhere. At most once: a message is lost when a
/// subscriber does not keep up, when a process does not read for `patience`, or while Redis is away, and then it is
/// told: see channel_message. Connects when first used, in each process. Any thread; subscribers on any loop.
class channels {
public:
    /// Throws std::invalid_argument when the URL is wrong; an empty one is "memory:". Connects nothing yet.
    explicit channels(std::string_view url = "memory:", channels_options options = {});
    /// The same with a URL that is asked for when it is first needed: one of a setting, which is not read yet.
    ///
    ///     rondo::channels channels([&app] { return app.settings().channels_url; });
    explicit channels(std::function<std::string()> url, channels_options options = {});
    ~channels();
    channels(const channels&) = delete;
    channels& operator=(const channels&) = delete;

    /// Sends to everyone who subscribed. Returns when it cannot be lost by the end of this process any more: memory:
    /// when the kernel has it for every worker; Redis: when the server has it. Throws channels_unavailable (when the
    /// connection broke in between it may have been sent), std::invalid_argument when the name is empty or the message
    /// too large, `cancelled`.
    [[nodiscard]] task<void> publish(std::string name, std::string bytes);
    /// The same, blocking: for sync views, with the deadline of their request and `cancelled` when its client is gone.
    /// Throws synchronous_only on a loop thread.
    void publish_sync(std::string_view name, std::string_view bytes);

    /// What is published to the name from now on. With Redis the first pull waits until the server knows of it (see
    /// subscription::add, as for what is thrown). Never ends by itself.
    [[nodiscard]] async_generator<channel_message> subscribe(std::string name, subscription_options options = {});
    [[nodiscard]] async_generator<channel_message> subscribe(std::vector<std::string> names,
                                                             subscription_options options = {});
    [[nodiscard]] async_generator<channel_message> subscribe_pattern(std::string pattern,
                                                                     subscription_options options = {});
    /// A subscription to nothing yet.
    [[nodiscard]] subscription open(subscription_options options = {});

    struct figures {
        std::uint64_t published = 0;
        std::uint64_t delivered = 0;   ///< to subscribers of this process
        std::uint64_t dropped = 0;     ///< subscribers of this process were too slow for
        std::uint64_t lost = 0;        ///< other processes were too slow for
        std::uint64_t reconnects = 0;  ///< of Redis
        std::uint64_t subscriptions = 0;
        std::uint64_t others = 0;  ///< processes that this one sends to
    };
    /// Of this process, since it first used the channels.
    [[nodiscard]] figures count() const;

    [[nodiscard]] const channels_url& url() const;

private:
    [[nodiscard]] async_generator<channel_message> receive(std::vector<std::string> names, bool pattern,
                                                           subscription_options options);

    std::shared_ptr<channels_detail::channels_state> state_;
};

}  // namespace rondo
