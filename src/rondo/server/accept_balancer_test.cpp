// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/accept_balancer.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t own_slot = 0;

// A table of serving workers, all with the PID of this process.
struct some {
    explicit some(std::initializer_list<std::uint32_t> connections) {
        for (const std::uint32_t n : connections) {
            const std::size_t slot = *table.unused();
            table.take(slot);
            process::slot_control& c = table.control(slot);
            c.pid = getpid();
            c.at = process::life::serving;
            c.beat_ns = now.time_since_epoch().count();
            c.connections = n;
        }
    }
    const instant now = clock::now();
    process::slot_table table{"test", 64};
    share mine{table, own_slot};
};

volatile sig_atomic_t called = 0;

struct caught {
    caught() {
        called = 0;
        ::signal(SIGWINCH, [](int) { called = called + 1; });
    }
    ~caught() { ::signal(SIGWINCH, SIG_DFL); }
    caught(const caught&) = delete;
    caught& operator=(const caught&) = delete;
};

TEST(AcceptBalancer, balances_within_a_margin) {
    EXPECT_FALSE((some{2, 0}).mine.has_enough(clock::now()));
    EXPECT_TRUE((some{3, 0}).mine.has_enough(clock::now()));
    EXPECT_TRUE((some{3, 9, 0, 9}).mine.has_enough(clock::now()));
    EXPECT_FALSE((some{90, 80}).mine.has_enough(clock::now()));
    EXPECT_TRUE((some{91, 80}).mine.has_enough(clock::now()));
    EXPECT_FALSE((some{1000}).mine.has_enough(clock::now()));
}

TEST(AcceptBalancer, ignores_stalled_and_draining_workers) {
    some s{9, 0};
    ASSERT_TRUE(s.mine.has_enough(s.now));
    process::slot_control& other = s.table.control(1);
    other.turn_began_ns = (s.now - 200ms).time_since_epoch().count();
    EXPECT_FALSE(s.mine.has_enough(s.now));
    other.turn_began_ns = (s.now - 10ms).time_since_epoch().count();
    EXPECT_TRUE(s.mine.has_enough(s.now));
    other.turn_began_ns = 0;
    other.beat_ns = (s.now - 3s).time_since_epoch().count();
    EXPECT_FALSE(s.mine.has_enough(s.now));
    other.beat_ns = s.now.time_since_epoch().count();
    other.at = process::life::draining;
    EXPECT_FALSE(s.mine.has_enough(s.now));
}

TEST(AcceptBalancer, wakes_only_serving_workers) {
    const caught signals;
    some s{9, 0};
    s.mine.call_another(s.now);
    EXPECT_EQ(called, 1);
    s.table.control(1).at = process::life::starting;
    s.mine.call_another(s.now);
    EXPECT_EQ(called, 1);
    s.table.control(1).at = process::life::serving;
    s.table.release(1);
    s.mine.call_another(s.now);
    EXPECT_EQ(called, 1);
}

}  // namespace
}  // namespace rondo::server
