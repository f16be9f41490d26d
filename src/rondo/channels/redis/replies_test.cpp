// SPDX-License-Identifier: Apache-2.0
// Replies of Redis, sent by a scripted server.
#include <rondo/channels/cache_store.hpp>
#include <rondo/channels/redis/protocol.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/error.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/net/listen.hpp>

namespace rondo::channels_detail {
namespace {

// Replies to each command by its name; to PING with PONG.
class scripted_redis {
public:
    using script = std::map<std::string, std::string, std::less<>>;

    explicit scripted_redis(script replies)
        : replies_(std::move(replies)),
          listener_(std::move(net::listen(net::bind_address::parse("127.0.0.1:0"), {}).at(0))),
          thread_([this] { serve(); }) {}
    ~scripted_redis() {
        ::shutdown(listener_.fd.value(), SHUT_RDWR);
        thread_.join();
    }
    scripted_redis(const scripted_redis&) = delete;
    scripted_redis& operator=(const scripted_redis&) = delete;

    [[nodiscard]] channels_url url() const {
        return channels_url::parse("redis://127.0.0.1" + listener_.url.substr(listener_.url.rfind(':')));
    }
    [[nodiscard]] int connections() const { return connections_; }

private:
    void serve() {
        for (;;) {
            const unique_fd peer(::accept4(listener_.fd.value(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!peer) return;
            ++connections_;
            redis_reader reader;
            char bytes[4096];
            for (ssize_t n = 0; (n = ::recv(peer.value(), bytes, sizeof bytes, 0)) > 0;) {
                reader.feed({bytes, static_cast<std::size_t>(n)});
                while (const auto command = reader.next()) send_reply(peer.value(), command->items.at(0).text);
            }
        }
    }
    void send_reply(int to, const std::string& command) {
        const std::string line = (command == "PING" ? "+PONG" : replies_.at(command)) + "\r\n";
        (void)::send(to, line.data(), line.size(), MSG_NOSIGNAL);
    }

    const script replies_;
    net::listening_socket listener_;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

std::string failure_of(const std::shared_ptr<pending>& answer) {
    try {
        (void)answer->wait_sync(from_now(test_timeout));
    } catch (const channels_unavailable& e) {
        return e.what();
    }
    return "no failure";
}

// How many connections a failing script, a failing GET and a successful DEL use.
int connections_used(const std::string& error) {
    scripted_redis server({{"EVAL", error}, {"GET", error}, {"DEL", ":1"}});
    const auto store = make_redis_store(server.url(), test_timeout);
    std::shared_ptr<pending> deferred;
    const std::string token = "token";
    (void)store->remove("key", &token, deferred);
    EXPECT_NE(failure_of(deferred).find("it replied '" + error.substr(1) + "'"), std::string::npos);
    (void)store->get("key", deferred);
    EXPECT_NE(failure_of(deferred).find("it replied '" + error.substr(1) + "'"), std::string::npos);
    (void)store->remove("key", nullptr, deferred);
    EXPECT_EQ(failure_of(deferred), "no failure");
    return server.connections();
}

// Error messages as in Redis 6.
TEST(RedisScript, failover_errors_close_the_connection) {
    const std::string in_script = "-ERR Error running script (call to f_c0ffee): @user_script:1: ";
    for (const char* code : {"READONLY", "LOADING", "MASTERDOWN"}) {
        const std::string error = fmt::format("-{} You can't.", code);
        EXPECT_EQ(connections_used(in_script + error), 2) << code;
        EXPECT_EQ(connections_used(fmt::format("{}@user_script: 1: {}", in_script, error)), 2) << code;
        EXPECT_EQ(connections_used(error), 3) << code;
    }
    EXPECT_EQ(connections_used(in_script + "-WRONGTYPE of -READONLY "), 1);
    EXPECT_EQ(connections_used(in_script + "READONLY You can't."), 1);
    EXPECT_EQ(connections_used("-ERR of @user_script:1: -READONLY You can't."), 1);
}

std::string parse_error_of(const std::string& bytes) {
    redis_reader reader;
    try {
        reader.feed(bytes);
        (void)reader.next();
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "none";
}

// The number of values precedes the values.
TEST(RedisReader, limits_array_size_and_depth) {
    EXPECT_EQ(parse_error_of("*1024\r\n:1\r\n"), "none");
    const std::string too_many =
        "it sent an array of more than 1024 values, nested too deeply, or too large for memory";
    EXPECT_EQ(parse_error_of("*1025\r\n:1\r\n"), too_many);
    EXPECT_EQ(parse_error_of("*2147483647\r\n"), too_many);
    std::string nested;
    for (int i = 0; i < 1'000'000; ++i) nested += "*1\r\n";
    EXPECT_NE(parse_error_of(nested + ":1\r\n"), "none");
}

TEST(RedisReader, limits_buffered_bytes) {
    redis_reader reader(1000);
    const auto feed = [&reader](const std::string& bytes) {
        reader.feed(bytes);
        return reader.next().has_value();
    };
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(feed("$900\r\n" + std::string(900, 'x') + "\r\n"));
    EXPECT_FALSE(feed("$2000000000\r\n" + std::string(900, 'x')));
    EXPECT_THROW((void)feed(std::string(100, 'x')), std::runtime_error);
}

}  // namespace
}  // namespace rondo::channels_detail
