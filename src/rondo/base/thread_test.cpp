// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <rondo/base/interrupt_thread.hpp>
#include <rondo/base/thread.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

bool is_blocked(const sigset_t& mask, int signal) { return sigismember(&mask, signal) == 1; }

sigset_t current_mask() {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    return mask;
}

TEST(NamedThread, blocks_process_directed_signals_and_accepts_thread_directed_ones) {
    sigset_t inside;
    named_thread("of-a-test", [&inside] { inside = current_mask(); }).join();
    for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGPIPE, SIGWINCH})
        EXPECT_TRUE(is_blocked(inside, signal)) << signal;
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF, SIGURG})
        EXPECT_FALSE(is_blocked(inside, signal)) << signal;
}

TEST(NamedThread, does_not_depend_on_the_mask_of_its_creator_and_restores_that) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sigset_t inside;
    named_thread("of-a-test", [&inside] { inside = current_mask(); }).join();
    const sigset_t after = current_mask();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_FALSE(is_blocked(inside, SIGURG));
    EXPECT_FALSE(is_blocked(inside, SIGSEGV));
    EXPECT_TRUE(is_blocked(after, SIGURG));
    EXPECT_TRUE(is_blocked(after, SIGTERM));
}

TEST(NamedThread, truncates_the_name_to_the_limit_of_the_kernel) {
    char name[16] = "";
    named_thread("a name that is too long", [&name] { pthread_getname_np(pthread_self(), name, sizeof name); }).join();
    EXPECT_STREQ(name, "a name that is ");
}

TEST(NamedThread, allows_its_stack_to_be_captured) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    std::promise<pid_t> started;
    named_thread waiting("of-a-test", [&] {
        started.set_value(gettid());
        // Does not wait for a future: ThreadSanitizer delays signals until a call that it intercepts.
        pollfd poll_entry{ends[0], POLLIN, 0};
        while (poll(&poll_entry, 1, -1) < 0) {
        }
    });
    EXPECT_TRUE(capture_thread_stack(started.get_future().get(), 10s));
    close(ends[1]);
    waiting.join();
    close(ends[0]);
}

}  // namespace
}  // namespace rondo
