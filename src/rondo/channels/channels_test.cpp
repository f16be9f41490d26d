// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/channels.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/random_token.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// memory: one object, no socket. peers: several objects connected by sockets, like the workers of a server.
enum class layer_kind { memory, peers, redis };

std::string unique_id() { return random_token(); }

class layer_setup {
public:
    explicit layer_setup(layer_kind k) : kind_(k), id_(unique_id()) {
        peer_discovery::set_name(k == layer_kind::peers ? "rondo-" + id_ : "");
        if (k == layer_kind::redis) url_ = shared_redis().url("?prefix=" + id_);
    }
    ~layer_setup() { peer_discovery::set_name(""); }
    layer_setup(const layer_setup&) = delete;
    layer_setup& operator=(const layer_setup&) = delete;

    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] bool has_peers() const { return kind_ != layer_kind::memory; }

private:
    layer_kind kind_;
    std::string id_;
    std::string url_ = "memory:";
};

std::string text_of(const channel_message& m) { return std::string(m.bytes()); }

template <class F>
void run_on_new_loop(F body) {
    event_loop loop;
    loop.run_until(with_timeout(test_timeout, body()));
}

class Channels : public ::testing::TestWithParam<layer_kind> {
protected:
    layer_setup setup_{GetParam()};
};

std::string layer_name(const ::testing::TestParamInfo<layer_kind>& info) {
    switch (info.param) {
        case layer_kind::memory: return "memory";
        case layer_kind::peers: return "peers";
        case layer_kind::redis: return "redis";
    }
    return "";
}

INSTANTIATE_TEST_SUITE_P(channels, Channels,
                         ::testing::Values(layer_kind::memory, layer_kind::peers, layer_kind::redis), layer_name);

task<void> first_messages(channels& all) {
    subscription mine = all.open();
    co_await mine.subscribe("room");
    co_await all.publish("room", "one");
    co_await all.publish("other", "not subscribed");
    co_await all.publish("room", std::string("t\0wo\r\n", 6));
    EXPECT_EQ(text_of(co_await mine.next()), "one");
    const channel_message second = co_await mine.next();
    EXPECT_EQ(text_of(second), std::string("t\0wo\r\n", 6));
    EXPECT_EQ(second.channel(), "room");
    EXPECT_EQ(second.missed(), 0u);
    EXPECT_FALSE(second.gap());
}

TEST_P(Channels, delivers_messages_to_a_name) {
    channels all(setup_.url());
    run_on_new_loop([&] { return first_messages(all); });
}

task<void> generators(channels& all) {
    auto messages = all.subscribe("room");
    auto both = all.subscribe(std::vector<std::string>{"room", "hall"});
    struct steps {
        static task<void> publish(channels& to) {
            co_await to.publish("hall", "a");
            co_await to.publish("room", "b");
        }
        static task<void> publish_when_confirmed(channels& to, subscription& probe) {
            co_await probe.subscribe("hall");
            co_await probe.subscribe("room");
            co_await publish(to);
        }
        static task<std::string> next(async_generator<channel_message>& from) {
            const channel_message* m = co_await from.next();
            co_return text_of(*m);
        }
    };
    subscription probe = all.open();
    auto [_, first, second] =
        co_await when_all(steps::publish_when_confirmed(all, probe), steps::next(messages), steps::next(both));
    EXPECT_EQ(first, "b");
    EXPECT_EQ(second, "a");
    EXPECT_EQ(co_await steps::next(both), "b");
}

TEST_P(Channels, a_generator_receives_everything_since_its_creation) {
    channels all(setup_.url());
    run_on_new_loop([&] { return generators(all); });
}

task<void> patterns(channels& all) {
    subscription mine = all.open();
    co_await mine.subscribe_pattern("room-*");
    co_await mine.subscribe_pattern("room-?");
    co_await mine.subscribe("room-1");
    co_await mine.subscribe_pattern("[x]*");
    for (const char* to : {"room-1", "room-12", "hall", "x1", "[x]1", "room-2"}) co_await all.publish(to, to);
    for (const char* from : {"room-1", "room-12", "[x]1", "room-2"}) {
        const channel_message m = co_await mine.next();
        EXPECT_EQ(m.channel(), from);
        EXPECT_EQ(m.bytes(), from);
    }
}

TEST_P(Channels, delivers_once_for_several_matching_patterns_and_names) {
    channels all(setup_.url());
    run_on_new_loop([&] { return patterns(all); });
}

task<void> pattern_generator(channels& publisher, channels& subscriber) {
    auto messages = subscriber.subscribe_pattern("room-*");
    subscription probe = subscriber.open();
    co_await probe.subscribe_pattern("room-*");  // Redis has confirmed the pattern
    co_await publisher.publish("room-1", "one");
    co_await publisher.publish("hall-1", "not subscribed");
    co_await publisher.publish("room-2", "two");
    const channel_message* m = co_await messages.next();
    EXPECT_EQ(m->channel(), "room-1");
    EXPECT_EQ(m->bytes(), "one");
    m = co_await messages.next();
    EXPECT_EQ(m->channel(), "room-2");
    EXPECT_EQ(m->bytes(), "two");
}

TEST_P(Channels, subscribes_to_a_pattern) {
    channels publisher(setup_.url());
    std::optional<channels> second;
    if (setup_.has_peers()) second.emplace(setup_.url());
    channels& subscriber = second ? *second : publisher;
    run_on_new_loop([&] { return pattern_generator(publisher, subscriber); });
}

task<void> pattern_discarded(channels& all) {
    subscription mine = all.open();
    co_await mine.subscribe_pattern("room-*");
    co_await mine.subscribe_pattern("hall-*");
    co_await all.publish("room-1", "one");
    EXPECT_EQ(text_of(co_await mine.next()), "one");
    mine.unsubscribe_pattern("room-*");
    EXPECT_EQ(all.stats().subscriptions, 1u);
    co_await all.publish("room-1", "not subscribed");
    co_await all.publish("hall-1", "two");
    EXPECT_EQ(text_of(co_await mine.next()), "two");
    // A message that is queued already can still be received.
    subscription witness = all.open();
    co_await witness.subscribe_pattern("hall-*");
    co_await all.publish("hall-1", "queued");
    EXPECT_EQ(text_of(co_await witness.next()), "queued");
    mine.unsubscribe_pattern("hall-*");
    EXPECT_EQ(text_of(co_await mine.next()), "queued");
    co_await mine.subscribe_pattern("room-*");
    co_await all.publish("hall-1", "not subscribed");
    co_await all.publish("room-1", "three");
    EXPECT_EQ(text_of(co_await mine.next()), "three");
}

TEST_P(Channels, unsubscribes_from_a_pattern) {
    channels all(setup_.url());
    run_on_new_loop([&] { return pattern_discarded(all); });
}

task<void> groups(channels& all) {
    subscription one = all.open();
    subscription two = all.open();
    co_await one.subscribe("group");
    co_await two.subscribe("group");
    co_await all.publish("group", "to both");
    EXPECT_EQ(text_of(co_await one.next()), "to both");
    EXPECT_EQ(text_of(co_await two.next()), "to both");
    one.unsubscribe("group");
    co_await one.subscribe("own");
    co_await all.publish("group", "to two");
    co_await all.publish("own", "to one");
    EXPECT_EQ(text_of(co_await one.next()), "to one");
    EXPECT_EQ(text_of(co_await two.next()), "to two");
    one.unsubscribe("own");
    co_await one.subscribe("own");
    co_await all.publish("own", "again");
    EXPECT_EQ(text_of(co_await one.next()), "again");
    EXPECT_EQ(all.stats().subscriptions, 2u);
}

TEST_P(Channels, delivers_to_all_subscribers_of_a_group) {
    channels all(setup_.url());
    run_on_new_loop([&] { return groups(all); });
}

task<void> between_processes(channels& here, channels& there) {
    subscription mine = there.open();
    co_await mine.subscribe("room");
    subscription ours = here.open();
    co_await ours.subscribe("room");
    const std::string large(3u << 20, 'x');
    co_await here.publish("room", "over");
    co_await here.publish("room", large);
    co_await there.publish("room", "back");
    EXPECT_EQ(text_of(co_await mine.next()), "over");
    const std::string next = text_of(co_await mine.next());
    EXPECT_TRUE(next == large || next == "back");
    EXPECT_EQ(text_of(co_await ours.next()), "over");
}

TEST_P(Channels, reaches_other_processes) {
    if (!setup_.has_peers()) return;
    channels here(setup_.url());
    channels there(setup_.url());
    run_on_new_loop([&] { return between_processes(here, there); });
}

task<void> receive_in_order(subscription& from, unsigned publishers, unsigned count) {
    std::vector<unsigned> next(publishers);
    for (unsigned i = 0; i < publishers * count; ++i) {
        const channel_message m = co_await from.next();
        const std::string text = text_of(m);
        const auto publisher = static_cast<unsigned>(std::stoul(text));
        const auto n = static_cast<unsigned>(std::stoul(text.substr(text.find(' '))));
        EXPECT_EQ(n, next[publisher]);
        EXPECT_EQ(m.missed(), 0u);
        if (n != next[publisher]) co_return;
        ++next[publisher];
    }
}

// Two publishers: a thread without a loop and one with its own loop.
TEST_P(Channels, keeps_the_order_of_each_publisher) {
    channels here(setup_.url());
    std::optional<channels> second;
    if (setup_.has_peers()) second.emplace(setup_.url());
    channels& there = second ? *second : here;
    const unsigned each = GetParam() == layer_kind::redis ? 2'000 : 50'000;  // a publish waits for Redis
    event_loop loop;
    subscription mine = there.open({.max_messages = 4 * each, .max_bytes = 1u << 30});
    loop.run_until(with_timeout(test_timeout, mine.subscribe("room")));
    const std::jthread blocking([&] {
        for (unsigned n = 0; n < each; ++n) here.publish_sync("room", "0 " + std::to_string(n));
    });
    const std::jthread looping([&] {
        struct publisher {
            static task<void> run(channels& to, unsigned count) {
                for (unsigned n = 0; n < count; ++n) co_await to.publish("room", "1 " + std::to_string(n));
            }
        };
        event_loop own;
        own.run_until(publisher::run(here, each));
    });
    loop.run_until(with_timeout(55s, receive_in_order(mine, 2, each)));
}

task<void> slow_and_dropped(channels& all) {
    subscription slow = all.open({.max_messages = 10});
    subscription quick = all.open();
    co_await slow.subscribe("room");
    co_await quick.subscribe("room");
    for (int n = 0; n < 100; ++n) co_await all.publish("room", std::to_string(n));
    for (int n = 0; n < 100; ++n) EXPECT_EQ(text_of(co_await quick.next()), std::to_string(n));
    const channel_message oldest = co_await slow.next();
    EXPECT_EQ(text_of(oldest), "90");
    EXPECT_EQ(oldest.missed(), 90u);
    EXPECT_EQ((co_await slow.next()).missed(), 0u);
    EXPECT_EQ(all.stats().dropped, 90u);
}

TEST_P(Channels, drops_the_oldest_messages_of_a_slow_subscriber) {
    channels all(setup_.url());
    run_on_new_loop([&] { return slow_and_dropped(all); });
}

task<void> slow_and_closed(channels& all) {
    subscription slow = all.open({.max_bytes = 10, .when_full = overflow::close});
    subscription quick = all.open();
    co_await slow.subscribe("room");
    co_await quick.subscribe("room");
    co_await all.publish("room", "more than ten bytes");
    co_await all.publish("room", "b");
    co_await all.publish("room", "c");
    for (int n = 0; n < 3; ++n) (void)co_await quick.next();
    EXPECT_EQ(text_of(co_await slow.next()), "more than ten bytes");
    bool named_the_limit = false;
    try {
        (void)co_await slow.next();
    } catch (const subscriber_too_slow& e) {
        named_the_limit = std::string_view(e.what()).find("10 bytes") != std::string_view::npos;
    }
    EXPECT_TRUE(named_the_limit);
}

TEST_P(Channels, closes_a_slow_subscriber_when_configured) {
    channels all(setup_.url());
    run_on_new_loop([&] { return slow_and_closed(all); });
}

TEST_P(Channels, rejects_invalid_arguments) {
    channels all(setup_.url(), {.max_message_bytes = 3});
    EXPECT_THROW(all.publish_sync("", "x"), std::invalid_argument);
    EXPECT_THROW(all.publish_sync("room", "xxxx"), std::invalid_argument);
    const scoped_disallow_blocking mark;
    EXPECT_THROW(all.publish_sync("room", "x"), synchronous_only);
}

// Names may come from clients.
TEST_P(Channels, limits_the_length_of_names) {
    channels all(setup_.url());
    channels others(setup_.url());
    channels& subscriber = setup_.has_peers() ? others : all;
    event_loop loop;
    subscription mine = subscriber.open();
    const std::string longest(1u << 20, 'n');
    loop.run_until(with_timeout(test_timeout, mine.subscribe(longest)));
    EXPECT_THROW(all.publish_sync(longest + "n", "x"), std::invalid_argument);
    all.publish_sync(longest, "received");
    EXPECT_EQ(loop.run_until(with_timeout(test_timeout,
                                          [](subscription& from) -> task<std::string> {
                                              const channel_message m = co_await from.next();
                                              co_return text_of(m);
                                          }(mine))),
              "received");
}

// Subscribers and publishers cancelled at random points: nothing leaks (AddressSanitizer), the others continue.
task<void> publish_and_receive_forever(channels& all, unsigned n) {
    auto messages = all.subscribe("room");
    while (true) {
        co_await all.publish("room", std::to_string(n));
        (void)co_await messages.next();
    }
}

task<void> cancel_at_random(channels& all) {
    std::minstd_rand random(7);
    subscription witness = all.open({.max_messages = 1u << 20, .max_bytes = 1u << 30});
    co_await witness.subscribe("after");
    for (unsigned n = 0; n < 300; ++n) {
        try {
            co_await with_timeout(std::chrono::microseconds(random() % 3000), publish_and_receive_forever(all, n));
        } catch (const timed_out&) {
        }
    }
    co_await all.publish("after", "working");
    EXPECT_EQ(text_of(co_await witness.next()), "working");
    EXPECT_EQ(all.stats().subscriptions, 1u);
}

TEST_P(Channels, survives_cancellation_at_any_point) {
    channels all(setup_.url());
    std::optional<channels> second;
    if (setup_.has_peers()) second.emplace(setup_.url());
    run_on_new_loop([&] { return cancel_at_random(all); });
}

// Short-lived loops, like those of pool threads.
TEST_P(Channels, subscribers_may_be_on_any_loop) {
    channels all(setup_.url());
    std::atomic<unsigned> received = 0;
    std::atomic<unsigned> ready = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            struct subscriber {
                static task<void> receive_one(channels& from, std::atomic<unsigned>& subscribed,
                                              std::atomic<unsigned>& count) {
                    subscription mine = from.open();
                    co_await mine.subscribe("room");
                    ++subscribed;
                    (void)co_await mine.next();
                    ++count;
                }
            };
            event_loop own;
            own.run_until(with_timeout(test_timeout, subscriber::receive_one(all, ready, received)));
        });
    }
    while (ready < 4) std::this_thread::yield();
    all.publish_sync("room", "to all");
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(received, 4u);
}

}  // namespace
}  // namespace rondo
