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
struct shared_state {
    std::atomic<int> started;
    std::atomic<int> exited;
    std::atomic<pid_t> last_pid;
    std::atomic<bool> fail;
    std::atomic<int> result;
    std::atomic<int> prepared;
    std::atomic<int> forked;
};

class Arbiter : public ::testing::Test {
protected:
    Arbiter()
        : shared_(*static_cast<shared_state*>(
              mmap(nullptr, sizeof(shared_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
    ~Arbiter() override {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        munmap(&shared_, sizeof(shared_state));
    }

    // Runs an arbiter in a child process.
    void start(const std::function<void(arbiter&)>& fill, arbiter_options options = {}) {
        log::flush();
        pid_ = fork();
        if (pid_ != 0) return;
        int status = 99;
        try {
            log::set_level(log::level::off);
            log::set_synchronous(true);
            arbiter a(std::move(options), {});
            fill(a);
            status = a.run();
        } catch (const std::exception&) {
        }
        _exit(status);
    }
    [[nodiscard]] int stop(int signal) {
        if (signal) kill(pid_, signal);
        int status = 0;
        waitpid(std::exchange(pid_, 0), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    template <class F>
    [[nodiscard]] static bool wait_until(F condition) {
        for (instant limit = from_now(20s); clock::now() < limit; poll(nullptr, 0, 2))
            if (condition()) return true;
        return false;
    }

    // A group whose children are ready at once and run until they are terminated.
    [[nodiscard]] group_options waiting_group(std::string name, std::size_t count, unsigned stage = 0) {
        auto run = [this](child& self) {
            sigset_t termination;
            sigemptyset(&termination);
            sigaddset(&termination, SIGTERM);
            sigaddset(&termination, SIGINT);
            sigprocmask(SIG_BLOCK, &termination, nullptr);
            if (shared_.fail) return 1;
            shared_.last_pid = getpid();
            ++shared_.started;
            self.set_ready();
            int signal = 0;
            sigwait(&termination, &signal);
            ++shared_.exited;
            return 0;
        };
        return {
            .name = std::move(name), .count = count, .run = run, .memory = 64, .scalable = stage == 0, .stage = stage};
    }

    shared_state& shared_;
    pid_t pid_ = 0;
};

TEST_F(Arbiter, starts_groups_and_stops_them_in_order) {
    start([this](arbiter& a) {
        a.add_group(waiting_group("one", 2));
        a.add_group(waiting_group("two", 1, 1));
    });
    ASSERT_TRUE(wait_until([this] { return shared_.started == 3; }));
    EXPECT_EQ(stop(SIGTERM), 0);
    EXPECT_EQ(shared_.exited, 3);
}

TEST_F(Arbiter, replaces_a_child_that_dies) {
    start([this](arbiter& a) { a.add_group(waiting_group("one", 1)); });
    ASSERT_TRUE(wait_until([this] { return shared_.started == 1; }));
    kill(shared_.last_pid, SIGKILL);
    ASSERT_TRUE(wait_until([this] { return shared_.started == 2; }));
    EXPECT_EQ(stop(SIGINT), 0);
}

TEST_F(Arbiter, scales_on_ttin_and_ttou) {
    start([this](arbiter& a) { a.add_group(waiting_group("one", 1)); });
    ASSERT_TRUE(wait_until([this] { return shared_.started == 1; }));
    kill(pid_, SIGTTIN);
    ASSERT_TRUE(wait_until([this] { return shared_.started == 2; }));
    kill(pid_, SIGTTOU);
    ASSERT_TRUE(wait_until([this] { return shared_.exited == 1; }));
    EXPECT_EQ(stop(SIGTERM), 0);
    EXPECT_EQ(shared_.exited, 2);
}

TEST_F(Arbiter, exits_when_no_child_becomes_ready) {
    shared_.fail = true;
    start([this](arbiter& a) { a.add_group(waiting_group("one", 2)); });
    EXPECT_EQ(stop(0), exit_not_started);
}

TEST_F(Arbiter, kills_a_child_that_ignores_termination) {
    arbiter_options options;
    options.graceful_timeout = 0ms;
    auto stubborn = [this](child& self) {
        signal(SIGTERM, SIG_IGN);
        self.set_ready();
        ++shared_.started;
        for (;;) pause();
        return 0;
    };
    start([&](arbiter& a) { a.add_group({.name = "stubborn", .count = 1, .run = stubborn}); }, std::move(options));
    ASSERT_TRUE(wait_until([this] { return shared_.started == 1; }));
    EXPECT_EQ(stop(SIGTERM), 1);
}

TEST_F(Arbiter, recycles_a_child_after_its_replacement_is_ready) {
    auto recycled = [this](child& self) {
        int number = ++shared_.started;
        if (number == 2) poll(nullptr, 0, 100);
        self.set_ready();
        if (number == 1) self.request_recycling(recycle_reason::age);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, nullptr);
        int signal = 0;
        sigwait(&term, &signal);
        if (number == 1) shared_.exited = self.slots().control(1).state == child_state::serving ? 1 : -1;
        return 0;
    };
    start([&](arbiter& a) { a.add_group({.name = "recycled", .count = 1, .run = recycled}); });
    ASSERT_TRUE(wait_until([this] { return shared_.exited != 0; }));
    EXPECT_EQ(shared_.exited, 1);
    EXPECT_EQ(shared_.started, 2);
    EXPECT_EQ(stop(SIGTERM), 0);
}

TEST_F(Arbiter, executes_commands_of_permitted_groups_only) {
    auto commander = [this](child& self) {
        self.set_ready();
        (void)self.send_command({control_command::kind::scale, 3});
        while (shared_.started < 3) poll(nullptr, 0, 2);
        (void)self.send_command({control_command::kind::scale, 1});
        while (shared_.exited < 2) poll(nullptr, 0, 2);
        (void)self.send_command({control_command::kind::shut_down});
        (void)self.send_command({control_command::kind::shut_down});  // has no effect when repeated
        return pause();
    };
    auto other = [this](child& self) {
        shared_.result = self.send_command({control_command::kind::shut_down});
        self.set_ready();
        return pause();
    };
    start([&](arbiter& a) {
        a.add_group(waiting_group("one", 1));
        a.add_group({.name = "commander", .count = 1, .run = commander, .stage = 1, .may_send_commands = true});
        a.add_group({.name = "other", .count = 1, .run = other, .stage = 1});
    });
    EXPECT_EQ(stop(0), 0);
    EXPECT_EQ(shared_.started, 3);
    EXPECT_EQ(shared_.exited, 3);
    EXPECT_EQ(shared_.result, EPERM);
}

TEST_F(Arbiter, gives_isolated_children_only_their_own_slot) {
    auto isolated = [this](child& self) {
        self.memory()[0] = std::byte{1};
        shared_.result = self.tables().size() == 1 && self.slots_of("one") == nullptr && self.slots().fd() < 0 ? 1 : -1;
        ++shared_.started;
        self.set_ready();
        return pause();
    };
    start([&](arbiter& a) {
        a.add_group(waiting_group("one", 1));
        a.add_group({.name = "isolated", .count = 2, .run = isolated, .memory = 64, .stage = 1, .isolated = true});
    });
    ASSERT_TRUE(wait_until([this] { return shared_.started == 3; }));
    EXPECT_EQ(shared_.result, 1);
    EXPECT_EQ(stop(SIGTERM), 0);
}

// Counts the calls; sets `result` when one is made in the wrong process.
class counting_hooks final : public fork_hooks {
public:
    explicit counting_hooks(shared_state& shared) : shared_(shared) {}

    void before_fork() noexcept override {
        parent_ = getpid();
        ++shared_.prepared;
    }
    void after_fork_in_parent() noexcept override {
        if (getpid() != parent_) shared_.result = 1;
        ++shared_.forked;
    }
    void after_fork_in_child() noexcept override { called_in_child_ = getpid() != parent_; }
    [[nodiscard]] bool called_in_child() const noexcept { return called_in_child_; }

private:
    shared_state& shared_;
    pid_t parent_ = 0;
    bool called_in_child_ = false;
};

TEST_F(Arbiter, calls_hooks_around_each_fork) {
    counting_hooks hooks(shared_);
    arbiter_options options;
    options.fork_hooks = &hooks;
    auto run = [&](child& self) {
        if (!hooks.called_in_child()) shared_.result = 2;
        return waiting_group("one", 1).run(self);
    };
    start([&](arbiter& a) { a.add_group({.name = "one", .count = 2, .run = run}); }, std::move(options));
    ASSERT_TRUE(wait_until([this] { return shared_.started == 2; }));
    kill(shared_.last_pid, SIGKILL);
    ASSERT_TRUE(wait_until([this] { return shared_.started == 3; }));
    EXPECT_EQ(stop(SIGTERM), 0);
    EXPECT_EQ(shared_.prepared, 3);
    EXPECT_EQ(shared_.forked, 3);
    EXPECT_EQ(shared_.result, 0);
}

TEST_F(Arbiter, rejects_a_duplicate_group_name) {
    arbiter a({}, {});
    a.add_group(waiting_group("one", 1));
    EXPECT_THROW(a.add_group(waiting_group("one", 1)), std::invalid_argument);
}

}  // namespace
}  // namespace rondo::process
