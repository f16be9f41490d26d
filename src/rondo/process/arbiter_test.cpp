// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/arbiter.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/log.hpp>

namespace rondo::process {
namespace {

using namespace std::chrono_literals;

// Shared between the children and the test.
struct board {
    std::atomic<int> started;
    std::atomic<int> ended;
    std::atomic<pid_t> last;
    std::atomic<bool> fail;
    std::atomic<int> refused;
};

class arbiters : public ::testing::Test {
protected:
    arbiters()
        : board_(*static_cast<board*>(
              mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
    ~arbiters() override {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        munmap(&board_, sizeof(board));
    }

    // Runs an arbiter in a child process.
    void begin(const std::function<void(arbiter&)>& fill, arbiter_options options = {}) {
        log::flush();
        pid_ = fork();
        if (pid_ != 0) return;
        int status = 99;
        try {
            log::threshold(log::level::off);
            log::on_calling_thread(true);
            arbiter a(std::move(options), {});
            fill(a);
            status = a.run();
        } catch (const std::exception&) {
        }
        _exit(status);
    }
    [[nodiscard]] int end(int signal) {
        if (signal) kill(pid_, signal);
        int status = 0;
        waitpid(std::exchange(pid_, 0), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    template <class F>
    [[nodiscard]] static bool until(F condition) {
        for (instant limit = from_now(20s); clock::now() < limit; poll(nullptr, 0, 2))
            if (condition()) return true;
        return false;
    }

    // A group whose children are ready at once and run until they are terminated.
    [[nodiscard]] group waiting(std::string name, std::size_t count, unsigned stage = 0) {
        auto run = [this](child& self) {
            sigset_t termination;
            sigemptyset(&termination);
            sigaddset(&termination, SIGTERM);
            sigaddset(&termination, SIGINT);
            sigprocmask(SIG_BLOCK, &termination, nullptr);
            if (board_.fail) return 1;
            board_.last = getpid();
            ++board_.started;
            self.ready();
            int signal = 0;
            sigwait(&termination, &signal);
            ++board_.ended;
            return 0;
        };
        return {
            .name = std::move(name), .count = count, .run = run, .memory = 64, .scales = stage == 0, .stage = stage};
    }

    board& board_;
    pid_t pid_ = 0;
};

TEST_F(arbiters, starts_groups_and_stops_them_in_order) {
    begin([this](arbiter& a) {
        a.add(waiting("one", 2));
        a.add(waiting("two", 1, 1));
    });
    ASSERT_TRUE(until([this] { return board_.started == 3; }));
    EXPECT_EQ(end(SIGTERM), 0);
    EXPECT_EQ(board_.ended, 3);
}

TEST_F(arbiters, replaces_a_child_that_dies) {
    begin([this](arbiter& a) { a.add(waiting("one", 1)); });
    ASSERT_TRUE(until([this] { return board_.started == 1; }));
    kill(board_.last, SIGKILL);
    ASSERT_TRUE(until([this] { return board_.started == 2; }));
    EXPECT_EQ(end(SIGINT), 0);
}

TEST_F(arbiters, scales_on_ttin_and_ttou) {
    begin([this](arbiter& a) { a.add(waiting("one", 1)); });
    ASSERT_TRUE(until([this] { return board_.started == 1; }));
    kill(pid_, SIGTTIN);
    ASSERT_TRUE(until([this] { return board_.started == 2; }));
    kill(pid_, SIGTTOU);
    ASSERT_TRUE(until([this] { return board_.ended == 1; }));
    EXPECT_EQ(end(SIGTERM), 0);
    EXPECT_EQ(board_.ended, 2);
}

TEST_F(arbiters, exits_when_no_child_becomes_ready) {
    board_.fail = true;
    begin([this](arbiter& a) { a.add(waiting("one", 2)); });
    EXPECT_EQ(end(0), exit_not_started);
}

TEST_F(arbiters, kills_a_child_that_ignores_termination) {
    arbiter_options options;
    options.graceful_timeout = 0ms;
    auto stubborn = [this](child& self) {
        signal(SIGTERM, SIG_IGN);
        self.ready();
        ++board_.started;
        for (;;) pause();
        return 0;
    };
    begin([&](arbiter& a) { a.add({.name = "stubborn", .count = 1, .run = stubborn}); }, std::move(options));
    ASSERT_TRUE(until([this] { return board_.started == 1; }));
    EXPECT_EQ(end(SIGTERM), 1);
}

TEST_F(arbiters, recycles_a_child_after_its_replacement_is_ready) {
    auto recycled = [this](child& self) {
        int number = ++board_.started;
        if (number == 2) poll(nullptr, 0, 100);
        self.ready();
        if (number == 1) self.ask_for_replacement(wish::age);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, nullptr);
        int signal = 0;
        sigwait(&term, &signal);
        if (number == 1) board_.ended = self.slots().control(1).at == life::serving ? 1 : -1;
        return 0;
    };
    begin([&](arbiter& a) { a.add({.name = "recycled", .count = 1, .run = recycled}); });
    ASSERT_TRUE(until([this] { return board_.ended != 0; }));
    EXPECT_EQ(board_.ended, 1);
    EXPECT_EQ(board_.started, 2);
    EXPECT_EQ(end(SIGTERM), 0);
}

TEST_F(arbiters, executes_commands_of_permitted_groups_only) {
    auto commander = [this](child& self) {
        self.ready();
        (void)self.tell({order::kind::scale, 3});
        while (board_.started < 3) poll(nullptr, 0, 2);
        (void)self.tell({order::kind::scale, 1});
        while (board_.ended < 2) poll(nullptr, 0, 2);
        (void)self.tell({order::kind::end});
        (void)self.tell({order::kind::end});  // has no effect when repeated
        return pause();
    };
    auto other = [this](child& self) {
        board_.refused = self.tell({order::kind::end});
        self.ready();
        return pause();
    };
    begin([&](arbiter& a) {
        a.add(waiting("one", 1));
        a.add({.name = "commander", .count = 1, .run = commander, .stage = 1, .commands = true});
        a.add({.name = "other", .count = 1, .run = other, .stage = 1});
    });
    EXPECT_EQ(end(0), 0);
    EXPECT_EQ(board_.started, 3);
    EXPECT_EQ(board_.ended, 3);
    EXPECT_EQ(board_.refused, EPERM);
}

TEST_F(arbiters, gives_isolated_children_only_their_own_slot) {
    auto isolated = [this](child& self) {
        self.memory()[0] = std::byte{1};
        board_.refused = self.tables().size() == 1 && self.slots_of("one") == nullptr && self.slots().fd() < 0 ? 1 : -1;
        ++board_.started;
        self.ready();
        return pause();
    };
    begin([&](arbiter& a) {
        a.add(waiting("one", 1));
        a.add({.name = "isolated", .count = 2, .run = isolated, .memory = 64, .stage = 1, .isolated = true});
    });
    ASSERT_TRUE(until([this] { return board_.started == 3; }));
    EXPECT_EQ(board_.refused, 1);
    EXPECT_EQ(end(SIGTERM), 0);
}

TEST_F(arbiters, rejects_a_duplicate_group_name) {
    arbiter a({}, {});
    a.add(waiting("one", 1));
    EXPECT_THROW(a.add(waiting("one", 1)), std::invalid_argument);
}

}  // namespace
}  // namespace rondo::process
