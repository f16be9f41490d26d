// SPDX-License-Identifier: Apache-2.0
// Names whose server is silent.
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

// A name server that says nothing until it is let: what look-ups wait for, and how many do.
class silent_server {
public:
    std::vector<net::endpoint> ask() {
        std::unique_lock held(mutex_);
        ++asking_;
        changed_.notify_all();
        changed_.wait(held, [this] { return speaks_; });
        --asking_;
        changed_.notify_all();
        return {*net::endpoint::numeric("127.0.0.1", 1)};
    }
    void reset() {
        const std::scoped_lock held(mutex_);
        speaks_ = false;
    }
    [[nodiscard]] bool is_asked() {
        std::unique_lock held(mutex_);
        return changed_.wait_for(held, long_enough, [this] { return asking_ > 0; });
    }
    void speak() {
        std::unique_lock held(mutex_);
        speaks_ = true;
        changed_.notify_all();
        changed_.wait(held, [this] { return asking_ == 0; });
    }
    [[nodiscard]] int asking() {
        const std::scoped_lock held(mutex_);
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

TEST_F(redis_name, that_is_being_looked_up_holds_up_neither_the_end_nor_another_connection) {
    auto ended = connection(long_enough);
    auto other = connection(long_enough);
    const auto answer = ended->ask("*1\r\n$4\r\nPING\r\n");
    ASSERT_TRUE(server().is_asked());
    io_->run([] {});  // the thread goes on
    ended.reset();
    EXPECT_EQ(server().asking(), 1);
    EXPECT_EQ(failure_of(answer), "Redis at redis://redis.example:6379/0 cannot be used: it was left");
    other.reset();
    // The last one takes the thread of the channels along, which the look-up then must not reach for.
    io_.reset();
    EXPECT_EQ(server().asking(), 1);
    server().speak();
}

TEST_F(redis_name, is_asked_for_once_however_often_it_is_waited_for) {
    auto one = connection(20ms);
    one->start();
    ASSERT_TRUE(server().is_asked());
    // The second attempt began when the first one had failed.
    const std::string expected =
        "Redis at redis://redis.example:6379/0 cannot be used: the name 'redis.example' cannot be resolved: no name "
        "server answered in time";
    while (one->trouble() != expected) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(200ms);
    EXPECT_EQ(server().asking(), 1);
    one.reset();
    EXPECT_EQ(server().asking(), 1);
}

TEST_F(redis_name, that_was_looked_up_is_connected_to) {
    auto one = connection(long_enough);
    one->start();
    ASSERT_TRUE(server().is_asked());
    server().speak();
    const std::string expected = "Redis at redis://redis.example:6379/0 cannot be used: Connection refused";
    while (one->trouble() != expected) std::this_thread::sleep_for(1ms);
}

// A file that says nothing: reading it waits for whoever writes.
class silent_file {
public:
    silent_file() {
        char pattern[] = "/tmp/rondo-fifo-XXXXXX";
        if (!::mkdtemp(pattern)) throw std::runtime_error("no temporary folder");
        folder_ = pattern;
        if (::mkfifo(path().c_str(), 0600) != 0) throw std::runtime_error("no fifo");
    }
    ~silent_file() { std::filesystem::remove_all(folder_); }
    silent_file(const silent_file&) = delete;
    silent_file& operator=(const silent_file&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/ca.pem"; }
    // The writing end, as soon as somebody reads.
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

TEST(redis_authorities, that_are_being_read_are_waited_for_at_the_end) {
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
    io->run([] {});  // the thread goes on
    writer.reset();
    ending.join();
}

}  // namespace
}  // namespace rondo::channels_detail
