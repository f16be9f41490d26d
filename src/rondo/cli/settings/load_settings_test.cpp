// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/load_settings.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include <rondo/base/source_dir_fixture.hpp>
#include <rondo/cli/settings/help_text.hpp>
#include <rondo/cli/settings/settings_fixture.hpp>

namespace rondo::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string errors_of(const command_line& line) {
    std::string errors;
    for (const std::string& m : line.errors) errors += m + "\n";
    return errors;
}

TEST(CommandLine, empty_means_the_defaults) {
    const command_line got = parse_arguments({});
    EXPECT_EQ(got.command, "serve");
    EXPECT_TRUE(got.errors.empty());
    ASSERT_EQ(got.settings.binds.size(), 1u);
    EXPECT_EQ(got.settings.binds[0].port, 8000);
    EXPECT_EQ(got.settings.threads, 32u);
    EXPECT_GE(got.settings.workers, 1u);
    EXPECT_TRUE(got.settings.limits.forwarded_allow.empty());
    for (const std::string& origin : got.origins) EXPECT_EQ(origin, "default");
}

TEST(CommandLine, workers_share_the_cpus_for_compute_threads) {
    const auto threads = [](c_strings arguments) {
        return compute_threads_per_worker(parse_arguments(arguments).settings);
    };
    EXPECT_EQ(threads({"-w0"}), usable_cpus());
    EXPECT_EQ(threads({"-w1"}), usable_cpus());
    EXPECT_EQ(threads({"-w2"}), std::max(1u, usable_cpus() / 2));
    EXPECT_EQ(threads({"-w256"}), std::max(1u, usable_cpus() / 256));
    EXPECT_EQ(threads({"-w4", "--compute-threads=3"}), 3u);
    EXPECT_EQ(threads({"--compute-threads=0", "-w1"}), usable_cpus());
    EXPECT_THAT(effective_text(parse_arguments({"check", "-w256"})),
                testing::ContainsRegex("compute-threads +1 +default"));
}

TEST(CommandLine, accepts_all_forms_of_flags) {
    const command_line got =
        parse_arguments({"check", "-w3", "-t", "5s", "--threads=7", "--max-body", "2MiB", "-b", ":0", "--bind=unix:/a",
                         "--proxy-protocol", "--access-log", "-", "--", "--more"});
    EXPECT_EQ(errors_of(got), "");
    EXPECT_EQ(got.command, "check");
    EXPECT_EQ(got.settings.workers, 3u);
    EXPECT_EQ(got.settings.timeout, 5s);
    EXPECT_EQ(got.settings.threads, 7u);
    EXPECT_EQ(got.settings.limits.max_body, 2u << 20);
    EXPECT_EQ(got.settings.binds.size(), 2u);
    EXPECT_TRUE(got.settings.limits.proxy_protocol);
    EXPECT_EQ(got.settings.access_log, "-");
    EXPECT_EQ(got.arguments, std::vector<std::string>{"--more"});
    EXPECT_FALSE(parse_arguments({"--proxy-protocol", "--no-proxy-protocol"}).settings.limits.proxy_protocol);
    EXPECT_FALSE(parse_arguments({"--proxy-protocol=off"}).settings.limits.proxy_protocol);
    EXPECT_EQ(parse_arguments({"--threads", "1", "--threads", "2"}).settings.threads, 2u);
    EXPECT_TRUE(parse_arguments({"routes", "-h"}).help);
}

TEST(CommandLine, each_source_overrides_the_next) {
    const temporary_file file("threads = 3\nbacklog = 30\nmax-body = 300\nthread-queue = 33\n");
    app application;
    for (const char* name : {"threads", "backlog", "max-body", "thread-queue", "max-fields"})
        application.set_default(name, "2");
    const std::string config = "--config=" + file.path();
    const command_line got = parse_arguments_for(application, {config.c_str(), "--threads", "5"},
                                                 {"RONDO_THREADS=4", "RONDO_BACKLOG=4", "PATH=/bin"});
    EXPECT_EQ(errors_of(got), "");
    EXPECT_EQ(got.settings.threads, 5u);
    EXPECT_EQ(got.settings.listening.backlog, 4);
    EXPECT_EQ(got.settings.limits.max_body, 300u);
    EXPECT_EQ(got.settings.limits.head_limits.fields, 2u);
    EXPECT_EQ(got.settings.compute_queue, 256u);
    EXPECT_EQ(origin_of(got, "threads"), "flag");
    EXPECT_EQ(origin_of(got, "backlog"), "RONDO_BACKLOG");
    EXPECT_EQ(origin_of(got, "max-body"), file.path() + ":3");
    EXPECT_THAT(origin_of(got, "max-fields"), testing::StartsWith("load_settings_test.cpp:"));
    EXPECT_EQ(origin_of(got, "compute-queue"), "default");
}

TEST(CommandLine, a_list_replaces_the_list_of_an_earlier_source) {
    const command_line got =
        parse_arguments({"--bind", ":1", "--bind", ":2,:3"}, {"RONDO_BIND=:4,:5", "RONDO_COMPUTE_WORKERS=a=1,b=2"});
    EXPECT_EQ(errors_of(got), "");
    ASSERT_EQ(got.settings.binds.size(), 3u);
    EXPECT_EQ(got.settings.binds[2].port, 3);
    ASSERT_EQ(got.settings.compute.size(), 2u);
    EXPECT_EQ(got.settings.compute[1].name, "b");
    EXPECT_EQ(got.settings.compute[1].count, 2u);
}

TEST(CommandLine, an_inherited_socket_is_an_address) {
    const command_line got = parse_arguments({"--fd", "7"});
    ASSERT_EQ(got.settings.binds.size(), 1u);
    EXPECT_EQ(got.settings.binds[0].fd, 7);
}

TEST(CommandLine, errors_name_setting_value_and_source) {
    const std::string errors =
        errors_of(parse_arguments({"--threads", "many", "--max-body", "1XB", "--backend", "kqueue"},
                                  {"RONDO_HEADER_TIMEOUT=never", "RONDO_UMASK=9"}));
    EXPECT_THAT(errors, HasSubstr("--threads: 'many' is not a whole number from 1 to 10000"));
    EXPECT_THAT(errors, HasSubstr("--max-body: '1XB' is not a size; expected for example"));
    EXPECT_THAT(errors, HasSubstr("--backend: 'kqueue' is not one of auto, epoll, io_uring"));
    EXPECT_THAT(errors, HasSubstr("RONDO_HEADER_TIMEOUT: 'never' is not a duration"));
    EXPECT_THAT(errors, HasSubstr("RONDO_UMASK: '9' is not a valid mode"));
}

TEST(CommandLine, unknown_settings_have_a_suggestion) {
    const std::string errors = errors_of(
        parse_arguments({"--treads", "4", "--frobnicate", "--threads", "-z", "--threads"}, {"RONDO_WORKER=1"}));
    EXPECT_THAT(errors, HasSubstr("--treads: unknown setting; did you mean --threads?"));
    EXPECT_THAT(errors, HasSubstr("--frobnicate: unknown setting; see --help"));
    EXPECT_THAT(errors, HasSubstr("RONDO_WORKER: unknown setting; did you mean RONDO_WORKERS?"));
    const std::string others = errors_of(parse_arguments({"-z", "--threads"}, {"RONDO_threads=1"}));
    EXPECT_THAT(others, HasSubstr("-z: unknown setting; see --help"));
    EXPECT_THAT(others, HasSubstr("--threads needs a value"));
    EXPECT_THAT(others, HasSubstr("RONDO_threads: unknown setting; did you mean RONDO_THREADS?"));
}

TEST(CommandLine, an_empty_variable_is_unset) {
    const command_line got = parse_arguments({}, {"RONDO_THREADS=", "RONDO_BIN=/x", "RONDO_NOTHING="});
    EXPECT_EQ(errors_of(got), "");
    EXPECT_EQ(origin_of(got, "threads"), "default");
}

TEST(CommandLine, every_value_parses_as_it_is_printed) {
    // The output of `check` can be copied into a file.
    const server_settings defaults;
    for (const setting_row& row : framework_rows()) {
        server_settings parsed;
        const std::string text = row.to_text(defaults);
        setting_source source;
        if (text.empty() || row.name == "config") continue;
        source.add(row, text, "", "");
        ASSERT_NO_THROW(row.parse(parsed, source.values[0].texts)) << row.name;
        EXPECT_EQ(row.to_text(parsed), text) << row.name;
    }
}

TEST(CommandLine, the_table_is_consistent) {
    std::vector<std::string> seen;
    for (const setting_row& row : framework_rows()) {
        EXPECT_FALSE(row.help.empty()) << row.name;
        EXPECT_FALSE(row.group.empty()) << row.name;
        EXPECT_EQ(std::ranges::count(seen, row.name), 0) << row.name;
        seen.push_back(row.name);
        if (row.short_flag) {
            EXPECT_EQ(std::ranges::count(framework_rows(), row.short_flag, &setting_row::short_flag), 1) << row.name;
            EXPECT_NE(row.short_flag, 'h');
        }
    }
}

TEST(ApplicationSettings, are_set_from_all_sources) {
    app application;
    auto upstream = application.setting("upstream", "URL", "http://a", "where to");
    auto tries = application.setting("tries", "N", 3, "how often");
    auto ratio = application.setting("ratio", "X", 0.5, "how much");
    auto timeout = application.setting("wait", "TIME", 2min, "how long");
    auto cache = application.setting("cache-size", "SIZE", byte_size{1024}, "how large");
    auto loud = application.setting("loud", "on|off", false, "how");
    EXPECT_EQ(*upstream, "http://a");
    EXPECT_EQ(timeout.value(), 2min);
    const command_line got = parse_arguments_for(application, {"--upstream", "http://b", "--loud", "--cache-size=2KiB"},
                                                 {"RONDO_TRIES=-4", "RONDO_WAIT=250ms", "RONDO_RATIO=1.25"});
    EXPECT_EQ(errors_of(got), "");
    EXPECT_EQ(*upstream, "http://b");
    EXPECT_EQ(*tries, -4);
    EXPECT_EQ(*ratio, 1.25);
    EXPECT_EQ(*timeout, 250ms);
    EXPECT_EQ(cache->bytes, 2048u);
    EXPECT_TRUE(*loud);
    EXPECT_THAT(effective_text(got), testing::ContainsRegex("upstream +http://b +flag\n"));
    EXPECT_THAT(help_text("app", served_app(application), {}, got.rows), HasSubstr("--wait TIME"));
    const std::string errors = errors_of(
        parse_arguments_for(application, {"--tries", "x", "--ratio", "inf", "--loud=maybe", "--upstrean", "y"}));
    EXPECT_THAT(errors, HasSubstr("--tries: 'x' is not a whole number"));
    EXPECT_THAT(errors, HasSubstr("--ratio: 'inf' is not a number"));
    EXPECT_THAT(errors, HasSubstr("--loud: 'maybe' is not a boolean; expected on or off"));
    EXPECT_THAT(errors, HasSubstr("did you mean --upstream?"));
}

TEST(ApplicationSettings, of_a_mounted_application_are_set) {
    app application;
    app sub;
    auto colour = sub.setting("colour", "NAME", "red", "of the sub");
    application.mount("/sub", std::move(sub));
    EXPECT_EQ(errors_of(parse_arguments_for(application, {"--colour", "blue"})), "");
    EXPECT_EQ(*colour, "blue");
}

TEST(ApplicationSettings, have_unique_names) {
    app application;
    (void)application.setting("threads", "N", 1, "mine");
    EXPECT_THROW((void)parse_arguments_for(application, {}), std::invalid_argument);
    app other;
    EXPECT_THROW((void)other.setting("Up stream", "URL", "", "x"), std::invalid_argument);
    app misspelled;
    misspelled.set_default("treads", "3");
    EXPECT_THAT(errors_of(parse_arguments_for(misspelled, {})),
                HasSubstr("set_default(\"treads\"): unknown setting; did you mean threads?"));
}

TEST(SettingValues, invalid_user_and_group_numbers_are_errors) {
    for (const char* flag : {"--user", "--group"})
        for (const char* number : {"4294967295", "4294967296", "99999999999999999999"})
            EXPECT_THAT(errors_of(parse_arguments({flag, number})), HasSubstr("expected 0 to 4294967294"))
                << flag << ' ' << number;
    EXPECT_EQ(errors_of(parse_arguments({"--user", "4294967294", "--group", "0"})), "");
}

TEST(SettingTexts, do_not_contain_secret_values) {
    app application;
    (void)application.setting("token", "SECRET", "", "of the service");
    const std::string text = effective_text(
        parse_arguments_for(application, {"--token", "s3cret-value", "--db-url", "postgres://me:hush@db:5432/x"}));
    EXPECT_THAT(text, testing::Not(HasSubstr("s3cret-value")));
    EXPECT_THAT(text, testing::Not(HasSubstr("hush")));
    EXPECT_THAT(text, HasSubstr("postgres://me:***@db:5432/x"));
}

TEST(SettingTexts, do_not_contain_secrets_of_any_source) {
    app application;
    (void)application.setting("pin", "SECRET", 1234, "a number");
    (void)application.setting("smtp-password", "TEXT", "of-the-source", "a secret by its name");
    (void)application.setting("peer", "URL", "http://me:of-the-source@peer/", "a service");
    for (const c_strings& flags : std::initializer_list<c_strings>{{"--pin", "9hush9"},
                                                                   {"--smtp-password", "hush"},
                                                                   {"--peer", "http://a:hush@b/?c=d"},
                                                                   {"--db-url", "postgres://h/n?password=hush"},
                                                                   {"--db-url", "postgres://h/n?a=b&PASSWORD=hush"},
                                                                   {"--channels-url", "redis://:hu@sh@h/x"},
                                                                   {"--workers", "redis://u:hush@h/"},
                                                                   {"redis://u:hush@h/"},
                                                                   {"--no-such=redis://u:hush@h/"},
                                                                   {"--no-such", "redis://u:hush@h/"}}) {
        const command_line line = parse_arguments_for(application, flags);
        const std::string help = help_text("x", served_app(application), {}, line.rows);
        const std::string text = effective_text(line) + errors_of(line) + help + reference_text(line.rows);
        EXPECT_THAT(text, testing::Not(testing::AnyOf(HasSubstr("hush"), HasSubstr("sh@h"), HasSubstr("of-the-source"),
                                                      HasSubstr("1234"))));
    }
}

TEST(SettingTexts, match_the_reference_page) {
    std::ifstream page(source_dir() + "/docs/settings.md");
    const std::string text(std::istreambuf_iterator<char>(page), {});
    EXPECT_THAT(text, HasSubstr("<!-- settings -->\n" + reference_text(framework_rows()) + "<!-- end of settings -->"))
        << "run tools/check_docs --write --program build/debug/bin/tour";
}

}  // namespace
}  // namespace rondo::cli
