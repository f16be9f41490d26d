// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run_served.hpp>

#include <csignal>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/cli/settings/typed_rows.hpp>
#include <rondo/cli/start_failed.hpp>

namespace rondo::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// An application with a positional argument. Records its calls.
class fake_served final : public served, public handler::application {
public:
    std::string_view description() const override { return "Serves a fake."; }
    std::string_view argument() const override { return "APP"; }
    std::string missing_argument_text() const override { return "missing APP: expected a fake"; }
    void set_argument(const std::string& text) override {
        if (text == "bad") throw std::invalid_argument("'bad' is not a fake");
        events += "argument:" + text + " ";
    }
    std::vector<setting_row> setting_rows() override {
        std::vector<setting_row> rows;
        rows.push_back(text_row(row_name, "TEXT", "of the fake", [this](server_settings&) -> auto& { return own; }));
        rows.back().group = "Fake";
        return rows;
    }
    setting_source default_values(std::span<const setting_row> rows) override {
        setting_source defaults;
        defaults.add(*find_row(rows, "threads"), "7", "default", "default for fakes");
        return defaults;
    }
    std::vector<command_info> commands() const override { return {{"hello", "greet"}, {"count", "count"}}; }
    bool takes_arguments(std::string_view command) const override { return command == "count"; }
    int run_command(const command_line& line) override {
        events += line.command + ":" + std::to_string(line.arguments.size()) + " ";
        return 5;
    }
    void configure(server_settings& settings) override {
        events += "threads:" + std::to_string(settings.threads) + " ";
    }
    void check(const server_settings&, std::vector<std::string>& errors) override {
        if (!problem.empty()) errors.push_back(problem);
    }
    void prepare_to_serve(const server_settings&) override { events += "prepare "; }
    std::string summary() const override { return "1 fake"; }
    std::string views_text(const server_settings&) const override { return "app      of a test"; }

    handler::application& application() override { return *this; }
    int run(event_loop& loop, task<int> lifecycle) override {
        events += "run ";
        return served::run(loop, std::move(lifecycle));
    }
    void on_server_start(server::server&) override {
        events += "server ";
        kill(getpid(), SIGINT);
    }
    void on_server_end() override { events += "server_end "; }
    void on_drain(instant) override { events += "drain "; }
    task<void> stop_background() override {
        events += "stop_background ";
        co_return;
    }
    std::size_t running() const noexcept override { return abandoned; }
    void end_process(instant deadline) noexcept override {
        events += abandoned > 0 && deadline <= clock::now() ? "end_abandoned " : "end ";
        if (abandoned > 0) log::error(events);
    }

    task<void> startup() override {
        events += "startup ";
        if (!failure.empty()) throw start_failed(failure);
        co_return;
    }
    task<void> shutdown() override {
        events += "shutdown ";
        co_return;
    }
    task<void> serve(handler::request&, handler::responder&) override { co_return; }

    std::string row_name = "own";
    std::string own;
    std::string problem;
    std::string failure;
    std::size_t abandoned = 0;
    std::string events;
};

struct outcome {
    int status = 0;
    std::string out;
    std::string errors;
};

outcome capture(const std::function<int()>& f) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    outcome result;
    result.status = f();
    log::flush();
    result.out = testing::internal::GetCapturedStdout();
    result.errors = testing::internal::GetCapturedStderr();
    return result;
}

outcome run(served& application, std::initializer_list<const char*> arguments) {
    std::vector<const char*> argv{"bin/fake"};
    argv.insert(argv.end(), arguments);
    return capture([&] { return cli::run(application, static_cast<int>(argv.size()), argv.data()); });
}

// For a command that may not return.
outcome run_in_child(served& application, std::initializer_list<const char*> arguments) {
    std::vector<const char*> argv{"bin/fake"};
    argv.insert(argv.end(), arguments);
    log::flush();
    return capture([&] {
        const pid_t child = fork();
        if (child == 0) _exit(cli::run(application, static_cast<int>(argv.size()), argv.data()));
        int status = 0;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    });
}

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

TEST(Served, argument_may_stand_before_and_after_flags_and_the_command) {
    for (const std::initializer_list<const char*> arguments :
         {std::initializer_list<const char*>{"check", "mod:app", "-w", "2"},
          {"check", "--workers", "2", "mod:app", "--bind", "127.0.0.1:0"},
          {"-w2", "check", "mod:app"}}) {
        fake_served fake;
        const outcome got = run(fake, arguments);
        EXPECT_EQ(got.status, 0) << got.errors;
        EXPECT_EQ(fake.events, "argument:mod:app threads:7 ");
        EXPECT_THAT(got.out, EndsWith("1 fake, no errors found\n"));
        EXPECT_THAT(got.out, testing::ContainsRegex("threads +7 +default for fakes\n"));
        EXPECT_THAT(got.out, testing::ContainsRegex("workers +2 +flag\n"));
    }
}

TEST(Served, argument_without_a_command_is_served) {
    for (const std::initializer_list<const char*> arguments :
         {std::initializer_list<const char*>{"mod:app", "-w0", "--bind", "127.0.0.1:0"},
          {"--workers", "0", "mod:app", "--bind", "127.0.0.1:0"},
          {"serve", "-w0", "-b127.0.0.1:0", "mod:app"}}) {
        fake_served fake;
        const outcome got = run(fake, arguments);
        EXPECT_EQ(got.status, 0) << got.errors;
        EXPECT_EQ(
            fake.events,
            "argument:mod:app threads:7 prepare run startup server drain stop_background shutdown server_end end ");
        EXPECT_THAT(got.errors, HasSubstr("\n    app      of a test\n"));
    }
}

TEST(Served, argument_is_required_once) {
    fake_served fake;
    for (const char* command : {"serve", "routes", "check"}) {
        const outcome missing = run(fake, {command, "-w2"});
        EXPECT_EQ(missing.status, 2);
        EXPECT_EQ(missing.errors, "bin/fake: missing APP: expected a fake\nTry 'bin/fake --help'.\n");
    }
    EXPECT_EQ(run(fake, {}).status, 2);
    const outcome two = run(fake, {"mod:app", "check"});
    EXPECT_EQ(two.status, 2);
    EXPECT_THAT(two.errors, StartsWith("bin/fake: unexpected argument 'check' after mod:app\n"));
    const outcome bad = run(fake, {"bad"});
    EXPECT_EQ(bad.status, 2);
    EXPECT_THAT(bad.errors, StartsWith("bin/fake: 'bad' is not a fake\n"));
    EXPECT_THAT(fake.events, Not(HasSubstr("prepare")));
}

TEST(Served, other_commands_need_no_argument) {
    fake_served fake;
    EXPECT_THAT(run(fake, {"version"}).out, StartsWith("rondo "));
    EXPECT_THAT(run(fake, {"settings"}).out, HasSubstr("`--own TEXT`"));
    EXPECT_THAT(run(fake, {"status", "mod:app"}).errors, HasSubstr("unexpected argument 'mod:app' after status"));
    fake.events.clear();
    EXPECT_EQ(run(fake, {"hello"}).status, 5);
    EXPECT_EQ(run(fake, {"-w2", "count", "a", "b"}).status, 5);
    EXPECT_EQ(run(fake, {"hello", "a"}).status, 2);
    EXPECT_EQ(fake.events, "threads:7 hello:0 threads:7 count:2 ");
}

TEST(Served, help_shows_the_argument) {
    fake_served fake;
    for (const std::initializer_list<const char*> arguments :
         {std::initializer_list<const char*>{"--help"}, {"help"}, {"mod:app", "-h"}}) {
        const outcome got = run(fake, arguments);
        EXPECT_EQ(got.status, 0);
        EXPECT_THAT(got.out, StartsWith("Serves a fake.\n\nUsage: bin/fake [COMMAND] APP [SETTINGS]\n\nCommands:\n"));
        EXPECT_THAT(got.out, HasSubstr("  hello                         greet\n"));
        EXPECT_THAT(got.out, HasSubstr("\nFake:\n      --own TEXT"));
    }
    EXPECT_EQ(fake.events, "");
}

TEST(Served, own_settings_are_parsed_and_have_unique_names) {
    fake_served fake;
    EXPECT_EQ(run(fake, {"version", "--own", "x"}).status, 0);
    EXPECT_EQ(fake.own, "x");
    fake.row_name = "threads";
    const outcome clash = run(fake, {"version"});
    EXPECT_EQ(clash.status, 1);
    EXPECT_EQ(clash.errors, "bin/fake: setting 'threads' already exists; choose another name\n");
}

TEST(Served, check_reports_problems_without_passwords) {
    fake_served fake;
    fake.problem = "cannot use redis://me:hush@host/";
    const outcome got = run(fake, {"check", "mod:app"});
    EXPECT_EQ(got.status, 1);
    EXPECT_THAT(got.errors, HasSubstr("cannot use redis://me:***@host/\n"));
}

TEST(Served, a_failed_start_is_logged_once_and_exits_with_status_3) {
    for (const char* workers : {"-w0", "-w1"}) {
        fake_served fake;
        fake.failure = "Traceback:\n  File \"mod.py\"\nImportError: no such module";
        const outcome got = run_in_child(fake, {"mod:app", workers, "--bind", "127.0.0.1:0"});
        EXPECT_EQ(got.status, 3) << got.errors;
        EXPECT_EQ(count(got.errors, "Traceback:\n      File \"mod.py\"\n    ImportError: no such module\n"), 1U)
            << got.errors;
        EXPECT_EQ(count(got.errors, "Traceback"), 1U) << got.errors;
        EXPECT_THAT(got.errors, Not(HasSubstr("bin/fake:")));
    }
}

TEST(Served, process_ends_when_work_is_abandoned) {
    fake_served fake;
    fake.abandoned = 2;
    const outcome got = run_in_child(fake, {"mod:app", "-w0", "--bind", "127.0.0.1:0"});
    EXPECT_EQ(got.status, 1);
    EXPECT_THAT(got.errors, HasSubstr("drain stop_background end_abandoned \n"));
    EXPECT_THAT(got.errors, HasSubstr("exiting with 2 views still running\n"));
}

}  // namespace
}  // namespace rondo::cli
