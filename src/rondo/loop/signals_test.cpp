// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include <signal.h>
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
        EXPECT_TRUE(is_blocked(SIGUSR1));
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
    EXPECT_EQ(received.size(), 3u);
}

TEST_P(SignalWatcher, signals_that_were_blocked_before_stay_blocked) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &one, nullptr);
    {
        signal_watcher watcher(*loop, {SIGUSR1, SIGUSR2}, [](int) {});
    }
    EXPECT_FALSE(is_blocked(SIGUSR1));
    EXPECT_TRUE(is_blocked(SIGUSR2));
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
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
