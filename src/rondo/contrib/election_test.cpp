// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/election.hpp>

#include <csignal>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/channels/rendezvous.hpp>

namespace rondo {
namespace {

class at_a_rendezvous : public testing::Test {
protected:
    at_a_rendezvous() { rendezvous::set(rendezvous::make_name()); }
    ~at_a_rendezvous() override { rendezvous::set(""); }
};
using election_of_processes = at_a_rendezvous;

TEST_F(election_of_processes, has_one_winner_for_each_name) {
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

TEST_F(election_of_processes, is_open_again_when_the_winner_is_killed) {
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t winner = ::fork();
    if (winner == 0) {
        election mine;
        const char won = mine.leads("cleanup") ? 'y' : 'n';
        (void)!::write(told[1], &won, 1);
        ::pause();
        ::_exit(0);
    }
    char won = 0;
    ASSERT_EQ(::read(told[0], &won, 1), 1);
    EXPECT_EQ(won, 'y');
    election next;
    EXPECT_FALSE(next.leads("cleanup"));
    ::kill(winner, SIGKILL);
    ::waitpid(winner, nullptr, 0);
    EXPECT_TRUE(next.leads("cleanup"));
    ::close(told[0]);
    ::close(told[1]);
}

TEST(election_of_one_process, is_won) {
    election only;
    EXPECT_TRUE(only.leads("cleanup"));
}

}  // namespace
}  // namespace rondo
