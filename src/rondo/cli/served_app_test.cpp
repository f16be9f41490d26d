// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/served_app.hpp>

#include <stdexcept>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/cli/settings/settings_fixture.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::cli {
namespace {

using namespace std::chrono_literals;

struct command_runner {
    std::string events;
    app application;

    command_runner() {
        application.on_start([this] { events += "start "; });
        application.on_stop([this] { events += "stop "; });
    }
    int run(std::string_view name, std::vector<std::string> arguments = {}, server_settings settings = {}) {
        settings.threads = 2;
        command_line line;
        line.command = name;
        line.arguments = std::move(arguments);
        line.settings = std::move(settings);
        return served_app(application).run_command(line);
    }
};

task<int> wait_a_little() {
    co_await event_loop::current().sleep(1ms);
    co_return 3;
}

TEST(RunCommand, runs_on_a_thread_between_start_and_stop) {
    command_runner t;
    const std::thread::id here = std::this_thread::get_id();
    t.application.command("seed", "x", [&t, here] {
        EXPECT_NE(std::this_thread::get_id(), here);
        t.events += "run ";
        return 7;
    });
    EXPECT_EQ(t.run("seed"), 7);
    EXPECT_EQ(t.events, "start run stop ");
}

TEST(RunCommand, runs_a_coroutine_on_the_loop) {
    command_runner t;
    t.application.command("wait", "x", wait_a_little);
    EXPECT_EQ(t.run("wait"), 3);
    EXPECT_EQ(t.events, "start stop ");
}

TEST(RunCommand, can_run_without_start_and_stop) {
    command_runner t;
    t.application.command("make", "x", [] { return 0; }).without_lifespan();
    EXPECT_EQ(t.run("make"), 0);
    EXPECT_EQ(t.events, "");
}

TEST(RunCommand, passes_arguments) {
    command_runner t;
    t.application.command("count", "x", [](command_arguments arguments) { return static_cast<int>(arguments.size()); });
    EXPECT_EQ(t.run("count", {"a", "b"}), 2);
}

TEST(RunCommand, stops_the_application_after_a_failure) {
    command_runner t;
    t.application.command("fail", "x", []() -> int { throw std::runtime_error("broken"); });
    EXPECT_THROW(t.run("fail"), std::runtime_error);
    EXPECT_EQ(t.events, "start stop ");
}

TEST(RunCommand, as_root_creates_a_log_that_workers_can_write) {
    if (geteuid() != 0) GTEST_SKIP() << "requires root";
    const temporary_file log("");
    ::unlink(log.path().c_str());
    server_settings settings;
    settings.error_log = log.path();
    settings.user = "65534";
    command_runner t;
    t.application.command("migrate", "x", [] { return 0; });
    EXPECT_EQ(t.run("migrate", {}, settings), 0);
    log::set_file("-");
    struct stat status{};
    ASSERT_EQ(::stat(log.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 65'534U);
}

TEST(RunCommand, rejects_an_invalid_name) {
    app application;
    EXPECT_THROW(application.command("Se ed", "x", [] { return 0; }), std::invalid_argument);
}

}  // namespace
}  // namespace rondo::cli
