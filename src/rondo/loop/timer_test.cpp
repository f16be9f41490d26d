// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <rondo/loop/timer.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

struct counting_timer : timer {
    counting_timer() : timer([](timer& t) noexcept { static_cast<counting_timer&>(t).fire(); }) {}
    void fire() noexcept {
        ++fired;
        if (on_fire) on_fire();
    }
    int fired = 0;
    std::function<void()> on_fire;
};

const instant epoch = instant(1000h);

TEST(Timer, fires_once_and_never_early) {
    timer_wheel wheel(epoch);
    counting_timer t;
    EXPECT_FALSE(t.is_armed());
    wheel.arm(t, epoch + 100ms);
    EXPECT_TRUE(t.is_armed());
    EXPECT_EQ(t.due(), epoch + 100ms);
    wheel.advance(epoch + 99'999us);
    EXPECT_EQ(t.fired, 0);
    wheel.advance(epoch + 100ms);
    EXPECT_EQ(t.fired, 1);
    EXPECT_FALSE(t.is_armed());
    wheel.advance(epoch + 10s);
    EXPECT_EQ(t.fired, 1);
}

TEST(Timer, rounds_a_time_between_ticks_up) {
    timer_wheel wheel(epoch);
    counting_timer t;
    wheel.arm(t, epoch + 1ms + 1ns);
    wheel.advance(epoch + 1ms + 1ns);
    EXPECT_EQ(t.fired, 0);
    wheel.advance(epoch + 2ms);
    EXPECT_EQ(t.fired, 1);
}

TEST(Timer, fires_at_the_next_turn_when_its_time_has_passed) {
    timer_wheel wheel(epoch);
    wheel.advance(epoch + 1s);
    counting_timer t;
    counting_timer earliest;
    wheel.arm(t, epoch);
    wheel.arm(earliest, instant::min());
    EXPECT_LE(wheel.next(), epoch + 1s);
    wheel.advance(epoch + 1s);
    EXPECT_EQ(t.fired, 1);
    EXPECT_EQ(earliest.fired, 1);
}

TEST(Timer, may_be_moved) {
    timer_wheel wheel(epoch);
    counting_timer t;
    wheel.arm(t, epoch + 10ms);
    wheel.arm(t, epoch + 200ms);
    EXPECT_EQ(t.due(), epoch + 200ms);
    wheel.advance(epoch + 199ms);
    EXPECT_EQ(t.fired, 0);
    wheel.arm(t, epoch + 5000ms);
    wheel.arm(t, epoch + 300ms);
    wheel.advance(epoch + 299ms);
    EXPECT_EQ(t.fired, 0);
    wheel.advance(epoch + 300ms);
    EXPECT_EQ(t.fired, 1);
}

TEST(Timer, does_not_fire_when_disarmed_or_destroyed) {
    timer_wheel wheel(epoch);
    counting_timer t;
    wheel.arm(t, epoch + 10ms);
    t.disarm();
    t.disarm();
    {
        counting_timer destroyed;
        wheel.arm(destroyed, epoch + 10ms);
    }
    wheel.advance(epoch + 1s);
    EXPECT_EQ(t.fired, 0);
    EXPECT_EQ(wheel.next(), instant::max());
    wheel.arm(t, epoch + 2s);
    wheel.advance(epoch + 2s);
    EXPECT_EQ(t.fired, 1);
}

TEST(Timer, may_outlive_its_wheel) {
    counting_timer t;
    {
        timer_wheel wheel(epoch);
        wheel.arm(t, epoch + 10ms);
    }
    t.disarm();
    EXPECT_EQ(t.fired, 0);
}

TEST(Timer, may_arm_disarm_and_destroy_other_timers_when_it_fires) {
    timer_wheel wheel(epoch);
    counting_timer again;
    counting_timer first;
    counting_timer disarmed;
    auto destroyed = std::make_unique<counting_timer>();
    bool destroyed_fired = false;
    destroyed->on_fire = [&] { destroyed_fired = true; };
    again.on_fire = [&] {
        if (again.fired < 5) wheel.arm(again, epoch);  // in the past: the next turn
    };
    first.on_fire = [&] {
        disarmed.disarm();
        destroyed.reset();
    };
    wheel.arm(again, epoch + 5ms);
    wheel.arm(first, epoch + 5ms);
    wheel.arm(disarmed, epoch + 5ms);
    wheel.arm(*destroyed, epoch + 5ms);
    wheel.advance(epoch + 5ms);
    EXPECT_EQ(again.fired, 1);
    EXPECT_EQ(first.fired, 1);
    wheel.advance(epoch + 50ms);
    EXPECT_EQ(again.fired, 2);
    for (int i = 0; i < 10; ++i) wheel.advance(epoch + 50ms);
    EXPECT_EQ(again.fired, 5);
    EXPECT_EQ(wheel.next() > epoch + 50ms, true);
    EXPECT_EQ(disarmed.fired, 0);
    EXPECT_FALSE(destroyed_fired);
}

TEST(Timer, never_fires_when_armed_at_the_maximum_time) {
    timer_wheel wheel(epoch);
    counting_timer never;
    wheel.arm(never, instant::max());
    for (instant at = epoch; at < epoch + 24h * 365 * 20; at += 24h * 30) wheel.advance(at);
    EXPECT_EQ(never.fired, 0);
    EXPECT_TRUE(never.is_armed());
}

TEST(Timer, fires_thousands_with_the_same_due_time) {
    timer_wheel wheel(epoch);
    std::vector<counting_timer> all(10'000);
    for (auto& t : all) wheel.arm(t, epoch + 1s);
    for (std::size_t i = 0; i < all.size(); i += 2) all[i].disarm();
    wheel.advance(epoch + 1s);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].fired, static_cast<int>(i % 2));
}

// A reference implementation with a sorted list.
class reference_model {
public:
    void arm(int id, instant due) { due_[id] = due; }
    void disarm(int id) { due_.erase(id); }
    // The timers that must, and those that may, have fired by `now`: the wheel rounds to milliseconds.
    [[nodiscard]] std::vector<int> must_have_fired(instant now) const { return due_until(now - 1ms); }
    [[nodiscard]] std::vector<int> may_have_fired(instant now) const { return due_until(now); }
    [[nodiscard]] instant earliest() const {
        instant at = instant::max();
        for (auto& [id, due] : due_) at = std::min(at, due);
        return at;
    }
    [[nodiscard]] std::size_t size() const { return due_.size(); }

private:
    [[nodiscard]] std::vector<int> due_until(instant at) const {
        std::vector<int> ids;
        for (auto& [id, due] : due_)
            if (due <= at) ids.push_back(id);
        return ids;
    }
    std::map<int, instant> due_;
};

class wheel_and_model {
public:
    explicit wheel_and_model(unsigned seed) : random_(seed) {
        for (int id = 0; id < 60; ++id)
            timers_[static_cast<std::size_t>(id)].on_fire = [this, id] { fired_.push_back(id); };
    }

    void step() {
        for (unsigned changes = random_() % 8; changes > 0; --changes) change();
        instant next = wheel_.next();
        ASSERT_LE(next - 1ms, std::max(model_.earliest(), now_)) << "the loop would sleep too long";
        ASSERT_GT(next, now_ - 1ms) << "the loop would not sleep at all";
        now_ += some_duration();
        fired_.clear();
        wheel_.advance(now_);
        check();
    }

private:
    static constexpr int count = 60;

    // Mostly short, sometimes in other levels of the wheel, on and next to their boundaries.
    std::chrono::nanoseconds some_duration() {
        int bits = static_cast<int>(random_() % 36);
        if (random_() % 4) bits /= 3;
        auto ms = static_cast<std::int64_t>(std::uint64_t{1} << bits);
        ms += static_cast<std::int64_t>(random_() % 3) - 1;
        if (random_() % 2) ms += static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(ms + 2));
        auto d = std::chrono::nanoseconds(ms * 1'000'000);
        return random_() % 2 ? d : d + std::chrono::nanoseconds(random_() % 1'000'000);
    }
    void change() {
        int id = static_cast<int>(random_() % count);
        timer& t = timers_[static_cast<std::size_t>(id)];
        if (random_() % 4 == 0) {
            t.disarm();
            model_.disarm(id);
        } else {
            instant due = now_ + some_duration();
            wheel_.arm(t, due);
            model_.arm(id, due);
        }
    }
    void check() {
        std::sort(fired_.begin(), fired_.end());
        auto may = model_.may_have_fired(now_);
        auto must = model_.must_have_fired(now_);
        ASSERT_TRUE(std::includes(may.begin(), may.end(), fired_.begin(), fired_.end()))
            << "a timer fired early or twice";
        ASSERT_TRUE(std::includes(fired_.begin(), fired_.end(), must.begin(), must.end())) << "a timer is late";
        for (int id : fired_) model_.disarm(id);
    }

    std::mt19937_64 random_;
    timer_wheel wheel_{epoch};
    reference_model model_;
    instant now_ = epoch;
    std::vector<counting_timer> timers_{count};
    std::vector<int> fired_;
};

TEST(Timer, agrees_with_a_sorted_list) {
    for (unsigned seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE(seed);
        wheel_and_model both(seed);
        for (int i = 0; i < 400 && !::testing::Test::HasFatalFailure(); ++i) both.step();
    }
}

}  // namespace
}  // namespace rondo
