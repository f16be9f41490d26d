// SPDX-License-Identifier: Apache-2.0
// Name lookups and file reads that block.
#include <rondo/channels/redis/connection.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/io_thread.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/net/listen.hpp>

namespace rondo::channels_detail {
namespace {

using namespace std::chrono_literals;

// A name server that blocks lookups until answer_all(), and counts them.
class blocking_name_server {
public:
    std::vector<net::endpoint> resolve() {
        std::unique_lock lock(mutex_);
        ++query_count_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return answering_; });
        --query_count_;
        changed_.notify_all();
        return {*net::endpoint::numeric("127.0.0.1", 1)};
    }
    void reset() {
        const std::scoped_lock lock(mutex_);
        answering_ = false;
    }
    [[nodiscard]] bool wait_for_query() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, test_timeout, [this] { return query_count_ > 0; });
    }
    void answer_all() {
        std::unique_lock lock(mutex_);
        answering_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return query_count_ == 0; });
    }
    [[nodiscard]] int query_count() {
        const std::scoped_lock lock(mutex_);
        return query_count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int query_count_ = 0;
    bool answering_ = false;
};

blocking_name_server& server() {
    static blocking_name_server one;
    return one;
}

std::vector<net::endpoint> look_up(const std::string&) { return server().resolve(); }

std::string failure_of(const redis_connection::reply_ptr& answer) {
    try {
        (void)answer->wait_sync(from_now(test_timeout));
    } catch (const channels_unavailable& e) {
        return e.what();
    }
    return "no failure";
}

class RedisNameLookup : public ::testing::Test {
public:
    RedisNameLookup() { server().reset(); }
    ~RedisNameLookup() override { server().answer_all(); }

protected:
    [[nodiscard]] std::unique_ptr<redis_connection> connection(clock::duration timeout) const {
        return std::make_unique<redis_connection>(io_, url_, timeout, redis_connection::event_handlers{}, look_up);
    }
    const channels_url url_ = channels_url::parse("redis://redis.example");
    std::shared_ptr<io_thread> io_ = io_thread::shared();
};

TEST_F(RedisNameLookup, a_pending_lookup_blocks_neither_shutdown_nor_other_connections) {
    auto first = connection(test_timeout);
    auto other = connection(test_timeout);
    const auto answer = first->execute("*1\r\n$4\r\nPING\r\n");
    ASSERT_TRUE(server().wait_for_query());
    io_->run([] {});  // the thread is not blocked
    first.reset();
    EXPECT_EQ(server().query_count(), 1);
    EXPECT_EQ(failure_of(answer), "Redis at redis://redis.example:6379/0 cannot be used: the connection was shut down");
    other.reset();
    // The last user stops the I/O thread, which the lookup must not use any more.
    io_.reset();
    EXPECT_EQ(server().query_count(), 1);
    server().answer_all();
}

TEST_F(RedisNameLookup, retries_share_one_pending_lookup) {
    auto one = connection(20ms);
    one->start();
    ASSERT_TRUE(server().wait_for_query());
    // The second attempt starts after the first has failed.
    const std::string expected =
        "Redis at redis://redis.example:6379/0 cannot be used: cannot resolve 'redis.example': no name server "
        "responded in time";
    while (one->last_error() != expected) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(200ms);
    EXPECT_EQ(server().query_count(), 1);
    one.reset();
    EXPECT_EQ(server().query_count(), 1);
}

TEST_F(RedisNameLookup, connects_to_the_resolved_address) {
    auto one = connection(test_timeout);
    one->start();
    ASSERT_TRUE(server().wait_for_query());
    server().answer_all();
    const std::string expected = "Redis at redis://redis.example:6379/0 cannot be used: Connection refused";
    while (one->last_error() != expected) std::this_thread::sleep_for(1ms);
}

// A FIFO: reading it blocks until a writer closes it.
class blocking_fifo {
public:
    blocking_fifo() {
        char pattern[] = "/tmp/rondo-fifo-XXXXXX";
        if (!::mkdtemp(pattern)) throw std::runtime_error("cannot create a temporary directory");
        folder_ = pattern;
        if (::mkfifo(path().c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
    }
    ~blocking_fifo() { std::filesystem::remove_all(folder_); }
    blocking_fifo(const blocking_fifo&) = delete;
    blocking_fifo& operator=(const blocking_fifo&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/ca.pem"; }
    // Returns the writing end once a reader has opened the file.
    [[nodiscard]] unique_fd wait_for_reader() const {
        unique_fd writer;
        for (const instant end = from_now(test_timeout); !writer && clock::now() < end;) {
            writer = unique_fd(::open(path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
            if (!writer) std::this_thread::sleep_for(1ms);
        }
        return writer;
    }

private:
    std::string folder_;
};

TEST(RedisCaFile, shutdown_waits_while_the_file_is_read) {
    const blocking_fifo file;
    const auto listener = std::move(net::listen(net::bind_address::parse("127.0.0.1:0"), {}).at(0));
    const std::string port = listener.url.substr(listener.url.rfind(':') + 1);
    const auto io = io_thread::shared();
    auto one =
        std::make_unique<redis_connection>(io, channels_url::parse("rediss://127.0.0.1:" + port + "?ca=" + file.path()),
                                           test_timeout, redis_connection::event_handlers{});
    one->start();
    unique_fd writer = file.wait_for_reader();
    ASSERT_TRUE(writer);
    std::thread ending([&one] { one.reset(); });
    std::this_thread::sleep_for(50ms);
    io->run([] {});  // the thread is not blocked
    writer.reset();
    ending.join();
}

}  // namespace
}  // namespace rondo::channels_detail
