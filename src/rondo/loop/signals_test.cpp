// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/loop/signals.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

class SignalWatcher : public ::testing::TestWithParam<backend_kind> {
protected:
    void SetUp() override {
        if (GetParam() == backend_kind::io_uring && !io_uring_available()) GTEST_SKIP() << "io_uring is not available";
        loop.emplace(loop_options{.backend = GetParam()});
    }
    void run_until_called() {
        loop->run_until([](event_loop& l, std::vector<int>& received, std::size_t count) -> task<> {
            for (instant end = from_now(10s); received.size() < count && clock::now() < end;) co_await l.sleep(1ms);
        }(*loop, received, received.size() + 1));
    }
    static bool is_blocked(int signal) {
        sigset_t now;
        pthread_sigmask(SIG_BLOCK, nullptr, &now);
        return sigismember(&now, signal) == 1;
    }
    static void block(int how, int signal) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, signal);
        pthread_sigmask(how, &one, nullptr);
    }
    static bool has_default_action(int signal) {
        struct sigaction now{};
        sigaction(signal, nullptr, &now);
        return now.sa_handler == SIG_DFL;
    }
    // Returns the signal that ended the child, 0 when it exited.
    static int signal_that_ended(pid_t child) {
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    void run_for(clock::duration time) {
        loop->run_until([](event_loop& l, clock::duration t) -> task<> { co_await l.sleep(t); }(*loop, time));
    }
    std::optional<event_loop> loop;
    std::vector<int> received;
};

INSTANTIATE_TEST_SUITE_P(all, SignalWatcher, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& i) { return i.param == backend_kind::epoll ? "epoll" : "io_uring"; });

TEST_P(SignalWatcher, calls_its_function_on_the_loop) {
    {
        signal_watcher watcher(*loop, {SIGUSR1, SIGUSR2}, [this](int s) {
            EXPECT_EQ(event_loop::current_or_null(), &*loop);
            received.push_back(s);
        });
        EXPECT_FALSE(is_blocked(SIGUSR1));
        kill(getpid(), SIGUSR1);
        run_until_called();
        kill(getpid(), SIGUSR2);
        run_until_called();
        EXPECT_EQ(received, (std::vector<int>{SIGUSR1, SIGUSR2}));
        std::jthread other([] { kill(getpid(), SIGUSR1); });
        run_until_called();
        EXPECT_EQ(received.back(), SIGUSR1);
        // A signal that is discarded with the watcher must not end the process.
        kill(getpid(), SIGUSR1);
    }
    EXPECT_FALSE(is_blocked(SIGUSR1));
    EXPECT_FALSE(is_blocked(SIGUSR2));
    EXPECT_TRUE(has_default_action(SIGUSR1));
    EXPECT_TRUE(has_default_action(SIGUSR2));
    EXPECT_EQ(received.size(), 3u);
}

TEST_P(SignalWatcher, signals_that_were_blocked_before_are_received_and_stay_blocked_afterwards) {
    block(SIG_BLOCK, SIGUSR2);
    kill(getpid(), SIGUSR2);
    {
        signal_watcher watcher(*loop, {SIGUSR1, SIGUSR2}, [this](int s) { received.push_back(s); });
        EXPECT_FALSE(is_blocked(SIGUSR2));
        run_until_called();
        EXPECT_EQ(received, std::vector<int>{SIGUSR2});
    }
    EXPECT_FALSE(is_blocked(SIGUSR1));
    EXPECT_TRUE(is_blocked(SIGUSR2));
    block(SIG_UNBLOCK, SIGUSR2);
}

TEST_P(SignalWatcher, receives_signals_of_other_threads_on_the_loop) {
    signal_watcher watcher(*loop, {SIGUSR1}, [this](int s) {
        EXPECT_EQ(event_loop::current_or_null(), &*loop);
        received.push_back(s);
    });
    std::jthread other([] {
        errno = ENOTTY;
        pthread_kill(pthread_self(), SIGUSR1);
        EXPECT_EQ(errno, ENOTTY);
    });
    run_until_called();
    EXPECT_EQ(received, std::vector<int>{SIGUSR1});
}

TEST_P(SignalWatcher, loses_no_signal_when_another_arrives_often) {
    constexpr int more_than_a_pipe_holds = 70'000;
    signal_watcher watcher(*loop, {SIGUSR1, SIGUSR2}, [this](int s) { received.push_back(s); });
    for (int i = 0; i < more_than_a_pipe_holds; ++i) raise(SIGUSR1);
    raise(SIGUSR2);
    raise(SIGUSR1);
    run_for(20ms);
    EXPECT_EQ(received, (std::vector<int>{SIGUSR1, SIGUSR2}));
    raise(SIGUSR1);
    run_until_called();
    EXPECT_EQ(received.back(), SIGUSR1);
}

TEST_P(SignalWatcher, a_program_that_is_started_ends_by_the_signal) {
    signal_watcher watcher(*loop, {SIGTERM}, [this](int s) { received.push_back(s); });
    char program[] = "/bin/sleep";
    char seconds[] = "20";
    char* arguments[] = {program, seconds, nullptr};
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, program, nullptr, nullptr, arguments, environ), 0);
    kill(child, SIGTERM);
    EXPECT_EQ(signal_that_ended(child), SIGTERM);
    run_for(20ms);
    EXPECT_TRUE(received.empty());
}

TEST_P(SignalWatcher, a_forked_child_ends_by_the_signal) {
    signal_watcher watcher(*loop, {SIGTERM}, [this](int s) { received.push_back(s); });
    const pid_t child = fork();
    if (child == 0) {
        ::sleep(20);
        _exit(0);
    }
    kill(child, SIGTERM);
    EXPECT_EQ(signal_that_ended(child), SIGTERM);
    run_for(20ms);
    EXPECT_TRUE(received.empty());
    raise(SIGTERM);
    run_until_called();
    EXPECT_EQ(received, std::vector<int>{SIGTERM});
}

TEST_P(SignalWatcher, survives_an_exception_of_its_function) {
    signal_watcher watcher(*loop, {SIGUSR1}, [this](int s) {
        received.push_back(s);
        throw std::runtime_error("a failure on purpose");
    });
    kill(getpid(), SIGUSR1);
    run_until_called();
    kill(getpid(), SIGUSR1);
    run_until_called();
    EXPECT_EQ(received.size(), 2u);
}

TEST_P(SignalWatcher, wakes_a_loop_that_waits_for_nothing_else) {
    signal_watcher watcher(*loop, {SIGUSR1}, [this](int s) {
        received.push_back(s);
        loop->stop();
    });
    std::jthread other([] {
        std::this_thread::sleep_for(20ms);
        kill(getpid(), SIGUSR1);
    });
    loop->run();
    EXPECT_EQ(received.size(), 1u);
}

}  // namespace
}  // namespace rondo
