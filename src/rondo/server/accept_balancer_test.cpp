// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/accept_balancer.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t test_slot = 0;

// A table of serving workers, all with the PID of this process.
struct fake_workers {
    explicit fake_workers(std::initializer_list<std::uint32_t> connections) {
        for (const std::uint32_t n : connections) {
            const std::size_t slot = *table.find_free();
            table.acquire(slot);
            process::slot_control& c = table.control(slot);
            c.pid = getpid();
            c.state = process::child_state::serving;
            c.heartbeat_ns = now.time_since_epoch().count();
            c.connections = n;
        }
    }
    const instant now = clock::now();
    process::slot_table table{"test", 64};
    accept_balancer balancer{table, test_slot};
};

volatile sig_atomic_t wakeups = 0;

struct wakeup_counter {
    wakeup_counter() {
        wakeups = 0;
        ::signal(SIGWINCH, [](int) { wakeups = wakeups + 1; });
    }
    ~wakeup_counter() { ::signal(SIGWINCH, SIG_DFL); }
    wakeup_counter(const wakeup_counter&) = delete;
    wakeup_counter& operator=(const wakeup_counter&) = delete;
};

TEST(AcceptBalancer, balances_within_a_margin) {
    EXPECT_FALSE((fake_workers{2, 0}).balancer.has_fair_share(clock::now()));
    EXPECT_TRUE((fake_workers{3, 0}).balancer.has_fair_share(clock::now()));
    EXPECT_TRUE((fake_workers{3, 9, 0, 9}).balancer.has_fair_share(clock::now()));
    EXPECT_FALSE((fake_workers{90, 80}).balancer.has_fair_share(clock::now()));
    EXPECT_TRUE((fake_workers{91, 80}).balancer.has_fair_share(clock::now()));
    EXPECT_FALSE((fake_workers{1000}).balancer.has_fair_share(clock::now()));
}

TEST(AcceptBalancer, ignores_stalled_and_draining_workers) {
    fake_workers s{9, 0};
    ASSERT_TRUE(s.balancer.has_fair_share(s.now));
    process::slot_control& other = s.table.control(1);
    other.turn_started_ns = (s.now - 200ms).time_since_epoch().count();
    EXPECT_FALSE(s.balancer.has_fair_share(s.now));
    other.turn_started_ns = (s.now - 10ms).time_since_epoch().count();
    EXPECT_TRUE(s.balancer.has_fair_share(s.now));
    other.turn_started_ns = 0;
    other.heartbeat_ns = (s.now - 3s).time_since_epoch().count();
    EXPECT_FALSE(s.balancer.has_fair_share(s.now));
    other.heartbeat_ns = s.now.time_since_epoch().count();
    other.state = process::child_state::draining;
    EXPECT_FALSE(s.balancer.has_fair_share(s.now));
}

TEST(AcceptBalancer, wakes_only_serving_workers) {
    const wakeup_counter signals;
    fake_workers s{9, 0};
    s.balancer.wake_next(s.now);
    EXPECT_EQ(wakeups, 1);
    s.table.control(1).state = process::child_state::starting;
    s.balancer.wake_next(s.now);
    EXPECT_EQ(wakeups, 1);
    s.table.control(1).state = process::child_state::serving;
    s.table.release(1);
    s.balancer.wake_next(s.now);
    EXPECT_EQ(wakeups, 1);
}

}  // namespace
}  // namespace rondo::server
