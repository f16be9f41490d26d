// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/leader_election.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/peer_discovery.hpp>

namespace rondo {
namespace {

class PeerDiscoveryFixture : public testing::Test {
protected:
    PeerDiscoveryFixture() {
        peer_discovery::set_name(peer_discovery::make_name());
        if (::mkdtemp(folder_) == nullptr) throw std::runtime_error("mkdtemp");
        log::set_file(log_file());
        // A child process opens the log itself, possibly as another user.
        std::filesystem::permissions(folder_, std::filesystem::perms::all);
        std::filesystem::permissions(log_file(), std::filesystem::perms::all);
    }
    ~PeerDiscoveryFixture() override {
        log::set_file("-");
        std::filesystem::remove_all(folder_);
        peer_discovery::set_name("");
    }
    [[nodiscard]] std::vector<std::string> log_lines() const {
        log::flush();
        std::vector<std::string> lines;
        std::ifstream in(log_file());
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        return lines;
    }

private:
    [[nodiscard]] std::string log_file() const { return std::string(folder_) + "/log"; }

    char folder_[32] = "/tmp/rondo-election-XXXXXX";
};
using LeaderElection = PeerDiscoveryFixture;

TEST_F(LeaderElection, has_one_leader_per_name) {
    leader_election first;
    leader_election second;
    const std::string long_name(200, 'x');
    EXPECT_TRUE(first.try_acquire("cleanup"));
    EXPECT_TRUE(first.try_acquire("cleanup"));
    EXPECT_FALSE(second.try_acquire("cleanup"));
    EXPECT_TRUE(second.try_acquire("report"));
    EXPECT_FALSE(first.try_acquire("report"));
    EXPECT_TRUE(first.try_acquire(long_name));
    EXPECT_FALSE(second.try_acquire(long_name));
    EXPECT_TRUE(second.try_acquire(long_name + "y"));
}

// A process that requests leadership when constructed.
class leading_process {
public:
    explicit leading_process(std::string_view name, uid_t user = ::geteuid()) {
        int ends[2];
        if (::pipe(ends) != 0) return;
        const unique_fd reading(ends[0]);
        unique_fd writing(ends[1]);
        pid_ = ::fork();
        if (pid_ == 0) {
            const bool right_user = user == ::geteuid() || (::setgid(user) == 0 && ::setuid(user) == 0);
            leader_election mine;
            const char won = right_user && mine.try_acquire(name) ? 'y' : 'n';
            log::flush();
            (void)!::write(ends[1], &won, 1);
            ::pause();
            ::_exit(0);
        }
        writing.reset();
        char won = 0;
        is_leader_ = ::read(ends[0], &won, 1) == 1 && won == 'y';
    }
    ~leading_process() { kill(); }
    leading_process(const leading_process&) = delete;
    leading_process& operator=(const leading_process&) = delete;

    [[nodiscard]] bool is_leader() const noexcept { return is_leader_; }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
    bool is_leader_ = false;
};

// A socket with the address that the leader's would have.
class foreign_socket {
public:
    explicit foreign_socket(std::string_view name) {
        const std::string full = peer_discovery::name() + "/lead/" + std::string(name);
        address_.sun_family = AF_UNIX;
        full.copy(address_.sun_path + 1, sizeof address_.sun_path - 1);
        size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + full.size());
        EXPECT_EQ(::bind(socket_.value(), address(), size_), 0);
    }
    void fill_backlog() {
        ASSERT_EQ(::listen(socket_.value(), 0), 0);
        do clients_.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        while (::connect(clients_.back().value(), address(), size_) == 0);
        ASSERT_EQ(errno, EAGAIN);
    }

private:
    [[nodiscard]] const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }

    unique_fd socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::vector<unique_fd> clients_;
    sockaddr_un address_{};
    socklen_t size_ = 0;
};

TEST_F(LeaderElection, is_repeated_when_the_leader_is_killed) {
    leading_process winner("cleanup");
    EXPECT_TRUE(winner.is_leader());
    leader_election next;
    EXPECT_FALSE(next.try_acquire("cleanup"));
    winner.kill();
    EXPECT_TRUE(next.try_acquire("cleanup"));
    EXPECT_EQ(log_lines(), std::vector<std::string>());
}

TEST_F(LeaderElection, logs_a_leader_of_another_user_once) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    constexpr uid_t unprivileged_user = 65534;
    leading_process foreign("cleanup", unprivileged_user);
    ASSERT_TRUE(foreign.is_leader());
    leader_election mine;
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(mine.try_acquire("cleanup"));
    ASSERT_EQ(log_lines().size(), 1u);
    EXPECT_NE(log_lines()[0].find(" error   no process of this server can lead 'cleanup': process " +
                                  std::to_string(foreign.pid()) + " of user 65534 holds the unix socket @" +
                                  peer_discovery::name() + "/lead/cleanup; "),
              std::string::npos)
        << log_lines()[0];
    EXPECT_TRUE(mine.try_acquire("report"));
    foreign.kill();
    EXPECT_TRUE(mine.try_acquire("cleanup"));
}

// Workers may run as another user than the arbiter, so the superuser is trusted.
TEST_F(LeaderElection, trusts_the_superuser) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    const leading_process winner("cleanup");
    ASSERT_TRUE(winner.is_leader());
    const leading_process other("cleanup", 65534);
    EXPECT_FALSE(other.is_leader());
    EXPECT_EQ(log_lines(), std::vector<std::string>());
}

TEST_F(LeaderElection, detects_a_foreign_holder_after_a_leader) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    leading_process winner("cleanup");
    leader_election mine;
    EXPECT_FALSE(mine.try_acquire("cleanup"));
    winner.kill();
    const leading_process foreign("cleanup", 65534);
    ASSERT_TRUE(foreign.is_leader());
    EXPECT_FALSE(mine.try_acquire("cleanup"));
    EXPECT_EQ(log_lines().size(), 1u);
}

TEST_F(LeaderElection, logs_a_holder_that_cannot_be_verified) {
    const foreign_socket silent("cleanup");
    foreign_socket full("report");
    full.fill_backlog();
    leader_election mine;
    EXPECT_FALSE(mine.try_acquire("cleanup"));
    EXPECT_FALSE(mine.try_acquire("report"));
    EXPECT_EQ(log_lines(), std::vector<std::string>()) << "the holder may be about to listen";
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(mine.try_acquire("cleanup"));
        EXPECT_FALSE(mine.try_acquire("report"));
    }
    const std::vector<std::string> lines = log_lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_NE(lines[0].find(" error   cannot verify the leader for 'cleanup': "), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find(" error   cannot verify the leader for 'report': "), std::string::npos) << lines[1];
}

// More often than the backlog of the leader, which does not accept connections, has room for.
TEST_F(LeaderElection, may_be_repeated_indefinitely) {
    leader_election first;
    leader_election second;
    ASSERT_TRUE(first.try_acquire("cleanup"));
    for (int i = 0; i < 2 * SOMAXCONN; ++i) ASSERT_FALSE(second.try_acquire("cleanup"));
    EXPECT_EQ(log_lines(), std::vector<std::string>());
}

TEST(SingleProcessElection, is_won) {
    leader_election only;
    EXPECT_TRUE(only.try_acquire("cleanup"));
}

}  // namespace
}  // namespace rondo
