// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/election.hpp>

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

class at_a_rendezvous : public testing::Test {
protected:
    at_a_rendezvous() {
        rendezvous::set(rendezvous::make_name());
        if (::mkdtemp(folder_) == nullptr) throw std::runtime_error("mkdtemp");
        log::to(log_file());
        // A child process opens the log itself, possibly as another user.
        std::filesystem::permissions(folder_, std::filesystem::perms::all);
        std::filesystem::permissions(log_file(), std::filesystem::perms::all);
    }
    ~at_a_rendezvous() override {
        log::to("-");
        std::filesystem::remove_all(folder_);
        rendezvous::set("");
    }
    [[nodiscard]] std::vector<std::string> logged() const {
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
using election_of_processes = at_a_rendezvous;

TEST_F(election_of_processes, has_one_leader_per_name) {
    election one;
    election two;
    const std::string long_name(200, 'x');
    EXPECT_TRUE(one.leads("cleanup"));
    EXPECT_TRUE(one.leads("cleanup"));
    EXPECT_FALSE(two.leads("cleanup"));
    EXPECT_TRUE(two.leads("report"));
    EXPECT_FALSE(one.leads("report"));
    EXPECT_TRUE(one.leads(long_name));
    EXPECT_FALSE(two.leads(long_name));
    EXPECT_TRUE(two.leads(long_name + "y"));
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
            election mine;
            const char won = right_user && mine.leads(name) ? 'y' : 'n';
            log::flush();
            (void)!::write(ends[1], &won, 1);
            ::pause();
            ::_exit(0);
        }
        writing.reset();
        char won = 0;
        leads_ = ::read(ends[0], &won, 1) == 1 && won == 'y';
    }
    ~leading_process() { end(); }
    leading_process(const leading_process&) = delete;
    leading_process& operator=(const leading_process&) = delete;

    [[nodiscard]] bool leads() const noexcept { return leads_; }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_ = 0;
    bool leads_ = false;
};

// A socket with the address that the leader's would have.
class socket_of_another {
public:
    explicit socket_of_another(std::string_view name) {
        const std::string full = rendezvous::name() + "/lead/" + std::string(name);
        at_.sun_family = AF_UNIX;
        full.copy(at_.sun_path + 1, sizeof at_.sun_path - 1);
        size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + full.size());
        EXPECT_EQ(::bind(socket_.value(), address(), size_), 0);
    }
    void listen_and_be_full() {
        ASSERT_EQ(::listen(socket_.value(), 0), 0);
        do crowd_.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        while (::connect(crowd_.back().value(), address(), size_) == 0);
        ASSERT_EQ(errno, EAGAIN);
    }

private:
    [[nodiscard]] const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&at_); }

    unique_fd socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::vector<unique_fd> crowd_;
    sockaddr_un at_{};
    socklen_t size_ = 0;
};

TEST_F(election_of_processes, is_repeated_when_the_leader_is_killed) {
    leading_process winner("cleanup");
    EXPECT_TRUE(winner.leads());
    election next;
    EXPECT_FALSE(next.leads("cleanup"));
    winner.end();
    EXPECT_TRUE(next.leads("cleanup"));
    EXPECT_EQ(logged(), std::vector<std::string>());
}

TEST_F(election_of_processes, logs_a_leader_of_another_user_once) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    constexpr uid_t nobody = 65534;
    leading_process foreign("cleanup", nobody);
    ASSERT_TRUE(foreign.leads());
    election mine;
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(mine.leads("cleanup"));
    ASSERT_EQ(logged().size(), 1u);
    EXPECT_NE(logged()[0].find(" error   no process of this server can lead 'cleanup': process " +
                               std::to_string(foreign.pid()) + " of user 65534 holds the unix socket @" +
                               rendezvous::name() + "/lead/cleanup; "),
              std::string::npos)
        << logged()[0];
    EXPECT_TRUE(mine.leads("report"));
    foreign.end();
    EXPECT_TRUE(mine.leads("cleanup"));
}

// Workers may run as another user than the arbiter, so the superuser is trusted.
TEST_F(election_of_processes, trusts_the_superuser) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    const leading_process winner("cleanup");
    ASSERT_TRUE(winner.leads());
    const leading_process other("cleanup", 65534);
    EXPECT_FALSE(other.leads());
    EXPECT_EQ(logged(), std::vector<std::string>());
}

TEST_F(election_of_processes, detects_a_foreign_holder_after_a_leader) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    leading_process winner("cleanup");
    election mine;
    EXPECT_FALSE(mine.leads("cleanup"));
    winner.end();
    const leading_process foreign("cleanup", 65534);
    ASSERT_TRUE(foreign.leads());
    EXPECT_FALSE(mine.leads("cleanup"));
    EXPECT_EQ(logged().size(), 1u);
}

TEST_F(election_of_processes, logs_a_holder_that_cannot_be_verified) {
    const socket_of_another silent("cleanup");
    socket_of_another full("report");
    full.listen_and_be_full();
    election mine;
    EXPECT_FALSE(mine.leads("cleanup"));
    EXPECT_FALSE(mine.leads("report"));
    EXPECT_EQ(logged(), std::vector<std::string>()) << "the holder may be about to listen";
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(mine.leads("cleanup"));
        EXPECT_FALSE(mine.leads("report"));
    }
    const std::vector<std::string> lines = logged();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_NE(lines[0].find(" error   cannot verify the leader for 'cleanup': "), std::string::npos) << lines[0];
    EXPECT_NE(lines[1].find(" error   cannot verify the leader for 'report': "), std::string::npos) << lines[1];
}

// More often than the backlog of the leader, which does not accept connections, has room for.
TEST_F(election_of_processes, may_be_repeated_indefinitely) {
    election one;
    election two;
    ASSERT_TRUE(one.leads("cleanup"));
    for (int i = 0; i < 2 * SOMAXCONN; ++i) ASSERT_FALSE(two.leads("cleanup"));
    EXPECT_EQ(logged(), std::vector<std::string>());
}

TEST(SingleProcessElection, is_won) {
    election only;
    EXPECT_TRUE(only.leads("cleanup"));
}

}  // namespace
}  // namespace rondo
