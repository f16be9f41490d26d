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
#include <rondo/net/address.hpp>

namespace rondo::channels_detail {
namespace {

using namespace std::chrono_literals;

// A name server that blocks lookups until answer_all(), and counts them.
class silent_server {
public:
    std::vector<net::endpoint> ask() {
        std::unique_lock lock(mutex_);
        ++asking_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return speaks_; });
        --asking_;
        changed_.notify_all();
        return {*net::endpoint::numeric("127.0.0.1", 1)};
    }
    void reset() {
        const std::scoped_lock lock(mutex_);
        speaks_ = false;
    }
    [[nodiscard]] bool is_asked() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, long_enough, [this] { return asking_ > 0; });
    }
    void speak() {
        std::unique_lock lock(mutex_);
        speaks_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return asking_ == 0; });
    }
    [[nodiscard]] int asking() {
        const std::scoped_lock lock(mutex_);
        return asking_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int asking_ = 0;
    bool speaks_ = false;
};

silent_server& server() {
    static silent_server one;
    return one;
}

std::vector<net::endpoint> look_up(const std::string&) { return server().ask(); }

std::string failure_of(const redis_connection::answer& answer) {
    try {
        (void)answer->wait_sync(from_now(long_enough));
    } catch (const channels_unavailable& e) {
        return e.what();
    }
    return "no failure";
}

class redis_name : public ::testing::Test {
public:
    redis_name() { server().reset(); }
    ~redis_name() override { server().speak(); }

protected:
    [[nodiscard]] std::unique_ptr<redis_connection> connection(clock::duration patience) const {
        return std::make_unique<redis_connection>(io_, url_, patience, redis_connection::events{}, look_up);
    }
    const channels_url url_ = channels_url::parse("redis://redis.example");
    std::shared_ptr<io_thread> io_ = io_thread::shared();
};

TEST_F(redis_name, a_pending_lookup_blocks_neither_shutdown_nor_other_connections) {
    auto first = connection(long_enough);
    auto other = connection(long_enough);
    const auto answer = first->ask("*1\r\n$4\r\nPING\r\n");
    ASSERT_TRUE(server().is_asked());
    io_->run([] {});  // the thread is not blocked
    first.reset();
    EXPECT_EQ(server().asking(), 1);
    EXPECT_EQ(failure_of(answer), "Redis at redis://redis.example:6379/0 cannot be used: the connection was shut down");
    other.reset();
    // The last user stops the I/O thread, which the lookup must not use any more.
    io_.reset();
    EXPECT_EQ(server().asking(), 1);
    server().speak();
}

TEST_F(redis_name, retries_share_one_pending_lookup) {
    auto one = connection(20ms);
    one->start();
    ASSERT_TRUE(server().is_asked());
    // The second attempt starts after the first has failed.
    const std::string expected =
        "Redis at redis://redis.example:6379/0 cannot be used: cannot resolve 'redis.example': no name server "
        "responded in time";
    while (one->trouble() != expected) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(200ms);
    EXPECT_EQ(server().asking(), 1);
    one.reset();
    EXPECT_EQ(server().asking(), 1);
}

TEST_F(redis_name, connects_to_the_resolved_address) {
    auto one = connection(long_enough);
    one->start();
    ASSERT_TRUE(server().is_asked());
    server().speak();
    const std::string expected = "Redis at redis://redis.example:6379/0 cannot be used: Connection refused";
    while (one->trouble() != expected) std::this_thread::sleep_for(1ms);
}

// A FIFO: reading it blocks until a writer closes it.
class silent_file {
public:
    silent_file() {
        char pattern[] = "/tmp/rondo-fifo-XXXXXX";
        if (!::mkdtemp(pattern)) throw std::runtime_error("cannot create a temporary directory");
        folder_ = pattern;
        if (::mkfifo(path().c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
    }
    ~silent_file() { std::filesystem::remove_all(folder_); }
    silent_file(const silent_file&) = delete;
    silent_file& operator=(const silent_file&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/ca.pem"; }
    // Returns the writing end once a reader has opened the file.
    [[nodiscard]] unique_fd wait_for_reader() const {
        unique_fd writer;
        for (const instant end = from_now(long_enough); !writer && clock::now() < end;) {
            writer = unique_fd(::open(path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
            if (!writer) std::this_thread::sleep_for(1ms);
        }
        return writer;
    }

private:
    std::string folder_;
};

TEST(RedisCaFile, shutdown_waits_while_the_file_is_read) {
    const silent_file file;
    const auto listener = std::move(net::listen(net::bind_address::parse("127.0.0.1:0"), {}).at(0));
    const std::string port = listener.url.substr(listener.url.rfind(':') + 1);
    const auto io = io_thread::shared();
    auto one =
        std::make_unique<redis_connection>(io, channels_url::parse("rediss://127.0.0.1:" + port + "?ca=" + file.path()),
                                           long_enough, redis_connection::events{});
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
