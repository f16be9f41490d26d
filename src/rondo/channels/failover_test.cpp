// SPDX-License-Identifier: Apache-2.0
// Failover: another Redis becomes the master while connections still go to the old one.
#include <rondo/channels/cache.hpp>
#include <rondo/channels/channels.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Two servers and a symbolic link to the master, in place of a DNS name.
class RedisFailover : public ::testing::Test {
protected:
    RedisFailover() { point_to(old_master_); }

    [[nodiscard]] std::string url() const { return "redis+unix://" + symlink_path(); }

    // Makes it a replica of an unreachable master.
    static void demote(const redis_server& server) { ASSERT_EQ(server.execute("REPLICAOF 127.0.0.1 1"), "+OK"); }
    static void promote(const redis_server& server) { ASSERT_EQ(server.execute("REPLICAOF NO ONE"), "+OK"); }
    static void refuse_stale_reads(const redis_server& server) {
        ASSERT_EQ(server.execute("CONFIG SET replica-serve-stale-data no"), "+OK");
    }
    void fail_over() {
        demote(old_master_);
        point_to(new_master_);
    }

    redis_server old_master_, new_master_;

private:
    [[nodiscard]] std::string symlink_path() const { return old_master_.path() + "-of-the-master"; }
    void point_to(const redis_server& server) const {
        std::filesystem::create_symlink(server.path(), symlink_path() + "-new");
        std::filesystem::rename(symlink_path() + "-new", symlink_path());
    }
};

TEST_F(RedisFailover, closes_a_connection_to_a_read_only_replica) {
    cache kept(url());
    cache on_new_master(new_master_.url());
    kept.set_sync("key", "before", 60s);
    fail_over();
    EXPECT_EQ(unavailable_message([&] { kept.set_sync("key", "lost", 60s); }),
              "Redis at " + url() +
                  "?db=0 cannot be used: it replied 'READONLY You can't write against a read only replica.'");
    EXPECT_EQ(unavailable_message([&] { kept.set_sync("key", "after", 60s); }), "");
    EXPECT_EQ(on_new_master.get_sync("key"), "after");
}

TEST_F(RedisFailover, closes_a_connection_to_a_replica_without_master) {
    refuse_stale_reads(old_master_);
    cache kept(url());
    cache on_new_master(new_master_.url());
    on_new_master.set_sync("key", "after", 60s);
    kept.set_sync("key", "before", 60s);
    fail_over();
    EXPECT_NE(unavailable_message([&] { (void)kept.get_sync("key"); }).find("it replied 'MASTERDOWN "),
              std::string::npos);
    std::optional<std::string> found;
    EXPECT_EQ(unavailable_message([&] { found = kept.get_sync("key"); }), "");
    EXPECT_EQ(found, "after");
}

// A replica accepts PUBLISH; the PING on an idle connection detects that its master is unavailable.
TEST_F(RedisFailover, keeps_subscriptions) {
    refuse_stale_reads(old_master_);
    channels all(url(), {.timeout = 500ms});
    event_loop loop;
    subscription mine = all.open({.report_gaps = true});
    const auto next = [&] {
        return loop.run_until(with_timeout(test_timeout, [](subscription& from) -> task<std::string> {
            const channel_message m = co_await from.next();
            co_return m.gap() && m.bytes().empty() ? "gap" : std::string(m.bytes());
        }(mine)));
    };
    wait_until([&] { return unavailable_message([&] { loop.run_until(mine.subscribe("room")); }).empty(); });
    const std::uint64_t reconnects = all.stats().reconnects;
    fail_over();
    EXPECT_EQ(next(), "gap");
    EXPECT_GT(all.stats().reconnects, reconnects);
    // PUBLISH returns the number of subscribers reached.
    wait_until([&] { return new_master_.execute("PUBLISH room after") == ":1"; });
    std::string text = next();
    while (text == "gap") text = next();
    EXPECT_EQ(text, "after");
}

// Each refusal closes a connection and must not reset the back-off: 50, 100, 200, 400, 800 ms.
TEST_F(RedisFailover, does_not_reset_the_back_off_while_refused) {
    cache kept(url(), {.timeout = test_timeout});
    kept.set_sync("key", "before", 60s);
    demote(old_master_);
    const instant start = clock::now();
    for (int i = 0; i < 6; ++i)
        EXPECT_NE(unavailable_message([&] { kept.set_sync("key", "lost", 60s); }).find("'READONLY "),
                  std::string::npos);
    EXPECT_GE(clock::now() - start, 1550ms);
    promote(old_master_);
    EXPECT_EQ(unavailable_message([&] { kept.set_sync("key", "after", 60s); }), "");
    EXPECT_EQ(kept.get_sync("key"), "after");
}

}  // namespace
}  // namespace rondo
