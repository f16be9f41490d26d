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

#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/coro/blocking.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// memory: one object, no socket. mesh: several objects that meet over sockets, as the workers of a server do.
enum class kind { memory, mesh, redis };

std::string unique_text() { return rendezvous::make_suffix(); }

class place {
public:
    explicit place(kind k) : kind_(k), id_(unique_text()) {
        rendezvous::set(k == kind::mesh ? "rondo-" + id_ : "");
        if (k == kind::redis) url_ = shared_redis().url("?prefix=" + id_);
    }
    ~place() { rendezvous::set(""); }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] bool reaches_others() const { return kind_ != kind::memory; }

private:
    kind kind_;
    std::string id_;
    std::string url_ = "memory:";
};

std::string read(const channel_message& m) { return std::string(m.bytes()); }

template <class F>
void on_loop(F body) {
    event_loop loop;
    loop.run_until(with_timeout(long_enough, body()));
}

class on_every_layer : public ::testing::TestWithParam<kind> {
protected:
    place place_{GetParam()};
};

std::string name_of(const ::testing::TestParamInfo<kind>& which) {
    switch (which.param) {
        case kind::memory: return "memory";
        case kind::mesh: return "mesh";
        case kind::redis: return "redis";
    }
    return "";
}

INSTANTIATE_TEST_SUITE_P(channels, on_every_layer, ::testing::Values(kind::memory, kind::mesh, kind::redis), name_of);

task<void> first_messages(channels& all) {
    subscription mine = all.open();
    co_await mine.add("room");
    co_await all.publish("room", "one");
    co_await all.publish("other", "not for us");
    co_await all.publish("room", std::string("t\0wo\r\n", 6));
    EXPECT_EQ(read(co_await mine.next()), "one");
    const channel_message second = co_await mine.next();
    EXPECT_EQ(read(second), std::string("t\0wo\r\n", 6));
    EXPECT_EQ(second.channel(), "room");
    EXPECT_EQ(second.missed(), 0u);
    EXPECT_FALSE(second.gap());
}

TEST_P(on_every_layer, brings_what_is_published_to_a_name) {
    channels all(place_.url());
    on_loop([&] { return first_messages(all); });
}

task<void> generator_pulls(channels& all) {
    auto messages = all.subscribe("room");
    auto both = all.subscribe(std::vector<std::string>{"room", "hall"});
    struct say {
        static task<void> all_of_it(channels& to) {
            co_await to.publish("hall", "a");
            co_await to.publish("room", "b");
        }
        static task<void> once_there(channels& to, subscription& probe) {
            co_await probe.add("hall");
            co_await probe.add("room");
            co_await all_of_it(to);
        }
        static task<std::string> next(async_generator<channel_message>& of) {
            const channel_message* m = co_await of.next();
            co_return read(*m);
        }
    };
    subscription probe = all.open();
    auto [_, first, second] = co_await when_all(say::once_there(all, probe), say::next(messages), say::next(both));
    EXPECT_EQ(first, "b");
    EXPECT_EQ(second, "a");
    EXPECT_EQ(co_await say::next(both), "b");
}

TEST_P(on_every_layer, a_generator_has_all_from_its_making_on) {
    channels all(place_.url());
    on_loop([&] { return generator_pulls(all); });
}

task<void> patterns(channels& all) {
    subscription mine = all.open();
    co_await mine.add_pattern("room-*");
    co_await mine.add_pattern("room-?");
    co_await mine.add("room-1");
    co_await mine.add_pattern("[x]*");
    for (const char* to : {"room-1", "room-12", "hall", "x1", "[x]1", "room-2"}) co_await all.publish(to, to);
    for (const char* from : {"room-1", "room-12", "[x]1", "room-2"}) {
        const channel_message m = co_await mine.next();
        EXPECT_EQ(m.channel(), from);
        EXPECT_EQ(m.bytes(), from);
    }
}

TEST_P(on_every_layer, patterns_and_names_bring_a_message_once) {
    channels all(place_.url());
    on_loop([&] { return patterns(all); });
}

task<void> groups(channels& all) {
    subscription one = all.open();
    subscription two = all.open();
    co_await one.add("group");
    co_await two.add("group");
    co_await all.publish("group", "to both");
    EXPECT_EQ(read(co_await one.next()), "to both");
    EXPECT_EQ(read(co_await two.next()), "to both");
    one.discard("group");
    co_await one.add("own");
    co_await all.publish("group", "to two");
    co_await all.publish("own", "to one");
    EXPECT_EQ(read(co_await one.next()), "to one");
    EXPECT_EQ(read(co_await two.next()), "to two");
    one.discard("own");
    co_await one.add("own");
    co_await all.publish("own", "again");
    EXPECT_EQ(read(co_await one.next()), "again");
    EXPECT_EQ(all.count().subscriptions, 2u);
}

TEST_P(on_every_layer, groups_are_names_that_several_add) {
    channels all(place_.url());
    on_loop([&] { return groups(all); });
}

task<void> between(channels& here, channels& there) {
    subscription mine = there.open();
    co_await mine.add("room");
    subscription ours = here.open();
    co_await ours.add("room");
    const std::string large(3u << 20, 'x');
    co_await here.publish("room", "over");
    co_await here.publish("room", large);
    co_await there.publish("room", "back");
    EXPECT_EQ(read(co_await mine.next()), "over");
    const std::string next = read(co_await mine.next());
    EXPECT_TRUE(next == large || next == "back");
    EXPECT_EQ(read(co_await ours.next()), "over");
}

TEST_P(on_every_layer, reaches_the_other_processes) {
    if (!place_.reaches_others()) return;
    channels here(place_.url());
    channels there(place_.url());
    on_loop([&] { return between(here, there); });
}

task<void> receive_in_order(subscription& from, unsigned publishers, unsigned each) {
    std::vector<unsigned> next(publishers);
    for (unsigned i = 0; i < publishers * each; ++i) {
        const channel_message m = co_await from.next();
        const std::string text = read(m);
        const auto who = static_cast<unsigned>(std::stoul(text));
        const auto n = static_cast<unsigned>(std::stoul(text.substr(text.find(' '))));
        EXPECT_EQ(n, next[who]);
        EXPECT_EQ(m.missed(), 0u);
        if (n != next[who]) co_return;
        ++next[who];
    }
}

// Publishers on threads without a loop and on loops of their own, one of each.
TEST_P(on_every_layer, keeps_the_order_of_each_publisher) {
    channels here(place_.url());
    std::optional<channels> second;
    if (place_.reaches_others()) second.emplace(place_.url());
    channels& there = second ? *second : here;
    const unsigned each = GetParam() == kind::redis ? 2'000 : 50'000;  // a publish waits for Redis
    event_loop loop;
    subscription mine = there.open({.messages = 4 * each, .bytes = 1u << 30});
    loop.run_until(with_timeout(long_enough, mine.add("room")));
    const std::jthread blocking([&] {
        for (unsigned n = 0; n < each; ++n) here.publish_sync("room", "0 " + std::to_string(n));
    });
    const std::jthread looping([&] {
        struct say {
            static task<void> all(channels& to, unsigned count) {
                for (unsigned n = 0; n < count; ++n) co_await to.publish("room", "1 " + std::to_string(n));
            }
        };
        event_loop own;
        own.run_until(say::all(here, each));
    });
    loop.run_until(with_timeout(55s, receive_in_order(mine, 2, each)));
}

task<void> slow_and_dropped(channels& all) {
    subscription slow = all.open({.messages = 10});
    subscription quick = all.open();
    co_await slow.add("room");
    co_await quick.add("room");
    for (int n = 0; n < 100; ++n) co_await all.publish("room", std::to_string(n));
    for (int n = 0; n < 100; ++n) EXPECT_EQ(read(co_await quick.next()), std::to_string(n));
    const channel_message oldest = co_await slow.next();
    EXPECT_EQ(read(oldest), "90");
    EXPECT_EQ(oldest.missed(), 90u);
    EXPECT_EQ((co_await slow.next()).missed(), 0u);
    EXPECT_EQ(all.count().dropped, 90u);
}

TEST_P(on_every_layer, a_slow_subscriber_loses_the_oldest_and_is_told) {
    channels all(place_.url());
    on_loop([&] { return slow_and_dropped(all); });
}

task<void> slow_and_closed(channels& all) {
    subscription slow = all.open({.bytes = 10, .when_full = overflow::close});
    subscription quick = all.open();
    co_await slow.add("room");
    co_await quick.add("room");
    co_await all.publish("room", "more than ten bytes");
    co_await all.publish("room", "b");
    co_await all.publish("room", "c");
    for (int n = 0; n < 3; ++n) (void)co_await quick.next();
    EXPECT_EQ(read(co_await slow.next()), "more than ten bytes");
    bool told = false;
    try {
        (void)co_await slow.next();
    } catch (const subscriber_too_slow& e) {
        told = std::string_view(e.what()).find("10 bytes") != std::string_view::npos;
    }
    EXPECT_TRUE(told);
}

TEST_P(on_every_layer, a_slow_subscriber_may_be_closed_instead) {
    channels all(place_.url());
    on_loop([&] { return slow_and_closed(all); });
}

TEST_P(on_every_layer, refuses_what_it_cannot_send) {
    channels all(place_.url(), {.max_message = 3});
    EXPECT_THROW(all.publish_sync("", "x"), std::invalid_argument);
    EXPECT_THROW(all.publish_sync("room", "xxxx"), std::invalid_argument);
    const loop_thread_mark mark;
    EXPECT_THROW(all.publish_sync("room", "x"), synchronous_only);
}

// A name may be a client's.
TEST_P(on_every_layer, takes_names_up_to_a_length_and_the_others_still_hear_it) {
    channels all(place_.url());
    channels others(place_.url());
    channels& listening = place_.reaches_others() ? others : all;
    event_loop loop;
    subscription mine = listening.open();
    const std::string longest(1u << 20, 'n');
    loop.run_until(with_timeout(long_enough, mine.add(longest)));
    EXPECT_THROW(all.publish_sync(longest + "n", "x"), std::invalid_argument);
    all.publish_sync(longest, "heard");
    EXPECT_EQ(loop.run_until(with_timeout(long_enough,
                                          [](subscription& from) -> task<std::string> {
                                              const channel_message m = co_await from.next();
                                              co_return read(m);
                                          }(mine))),
              "heard");
}

// Subscribers and publishers that are cancelled at random points: nothing leaks (AddressSanitizer), the rest goes on.
task<void> one_that_is_cancelled(channels& all, unsigned n) {
    auto messages = all.subscribe("room");
    while (true) {
        co_await all.publish("room", std::to_string(n));
        (void)co_await messages.next();
    }
}

task<void> cancel_at_random(channels& all) {
    std::minstd_rand random(7);
    subscription witness = all.open({.messages = 1u << 20, .bytes = 1u << 30});
    co_await witness.add("after");
    for (unsigned n = 0; n < 300; ++n) {
        try {
            co_await with_timeout(std::chrono::microseconds(random() % 3000), one_that_is_cancelled(all, n));
        } catch (const timed_out&) {
        }
    }
    co_await all.publish("after", "whole");
    EXPECT_EQ(read(co_await witness.next()), "whole");
    EXPECT_EQ(all.count().subscriptions, 1u);
}

TEST_P(on_every_layer, survives_cancellation_at_any_point) {
    channels all(place_.url());
    std::optional<channels> second;
    if (place_.reaches_others()) second.emplace(place_.url());
    on_loop([&] { return cancel_at_random(all); });
}

// Loops that come and go, as those of pool threads do.
TEST_P(on_every_layer, subscribers_may_be_on_any_loop) {
    channels all(place_.url());
    std::atomic<unsigned> heard = 0;
    std::atomic<unsigned> ready = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            struct listen {
                static task<void> once(channels& to, std::atomic<unsigned>& there, std::atomic<unsigned>& count) {
                    subscription mine = to.open();
                    co_await mine.add("room");
                    ++there;
                    (void)co_await mine.next();
                    ++count;
                }
            };
            event_loop own;
            own.run_until(with_timeout(long_enough, listen::once(all, ready, heard)));
        });
    }
    while (ready < 4) std::this_thread::yield();
    all.publish_sync("room", "everybody");
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(heard, 4u);
}

}  // namespace
}  // namespace rondo
