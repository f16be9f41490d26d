// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/sources.hpp>

#include <rondo/cli/settings/settings_fixture.hpp>

namespace rondo::cli {
namespace {

invocation with_file(const temporary_file& file) { return asked({"check", "--config", file.path().c_str()}); }

std::string mistakes_in(std::string_view text) {
    const temporary_file file(text);
    std::string all;
    for (std::string m : with_file(file).mistakes) {
        if (const std::size_t at = m.find(file.path()); at != m.npos) m.replace(at, file.path().size(), "FILE");
        all += m + "\n";
    }
    return all;
}

TEST(ConfigFile, reads_values_of_every_type) {
    const temporary_file file(
        "# a comment\n"
        "bind = ['127.0.0.1:0', \"unix:/run/a.sock\"]\n"
        "max_body = \"2MiB\"\n"
        "keepalive-timeout = 30\n"
        "header-timeout = 2.5\n"
        "proxy-protocol = true\n"
        "access-log = false\n"
        "forwarded-allow-ips = \"10.0.0.0/8,unix\"\n"
        "[compute-workers]\nmodel = 2\nother = 3\n");
    const invocation got = with_file(file);
    ASSERT_TRUE(got.mistakes.empty()) << got.mistakes[0];
    EXPECT_EQ(got.chosen.binds.size(), 2u);
    EXPECT_EQ(got.chosen.limits.max_body, 2u << 20);
    EXPECT_EQ(got.chosen.limits.keepalive_timeout, std::chrono::seconds(30));
    EXPECT_EQ(got.chosen.limits.header_timeout, std::chrono::milliseconds(2500));
    EXPECT_TRUE(got.chosen.limits.proxy_protocol);
    EXPECT_EQ(got.chosen.access_log, "off");
    EXPECT_EQ(got.chosen.limits.forwarded_allow.text(), "10.0.0.0/8,unix");
    ASSERT_EQ(got.chosen.compute.size(), 2u);
    EXPECT_EQ(got.chosen.compute[0].name + got.chosen.compute[1].name, "modelother");
    EXPECT_EQ(origin_of(got, "max-body"), file.path() + ":3");
}

TEST(ConfigFile, errors_name_the_line) {
    EXPECT_EQ(mistakes_in("\nthreads = 'x'\n"), "FILE:2: threads: 'x' is not a whole number from 1 to 10000\n");
    EXPECT_EQ(mistakes_in("treads = 4\n"), "FILE:1: treads: unknown setting; did you mean threads?\n");
    EXPECT_EQ(mistakes_in("threads = [1, 2]\n"), "FILE:1: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(mistakes_in("threads = 1979-05-27\n"), "FILE:1: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(mistakes_in("bind = [[1]]\n"), "FILE:1: bind: contains an item that is not a string or a number\n");
    EXPECT_EQ(mistakes_in("\n[threads]\nx = 1\n"), "FILE:2: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(mistakes_in("max-body = 1\nmax_body = 2\n").substr(0, 5), "FILE:");
    EXPECT_EQ(mistakes_in("config = 'x'\n"),
              "FILE:1: config: cannot be set in the file; use the flag or the environment variable\n");
    EXPECT_EQ(mistakes_in("compute-workers = 3\n").find("'3' is not NAME=N") != std::string::npos, true);
}

TEST(ConfigFile, octal_settings_follow_toml_integers) {
    for (const char* text :
         {"unix-mode = 0o660\n", "unix-mode = 432\n", "unix-mode = '0660'\n", "unix-mode = '660'\n"}) {
        const temporary_file file(text);
        const invocation got = with_file(file);
        ASSERT_TRUE(got.mistakes.empty()) << got.mistakes[0];
        EXPECT_EQ(got.chosen.listening.mode, 0660u) << text;
    }
    for (const char* text :
         {"unix-mode = 660\n", "unix-mode = -1\n", "unix-mode = 660.0\n", "unix-mode = true\n", "umask = 777\n"})
        EXPECT_NE(mistakes_in(text), "") << text;
}

TEST(ConfigFile, rejects_invalid_toml) {
    const std::string errors = mistakes_in("threads = 4\nbind = \n");
    EXPECT_EQ(errors.substr(0, 7), "FILE:2:") << errors;
    EXPECT_EQ(mistakes_in(""), "");
}

TEST(ConfigFile, reports_a_missing_file) {
    const invocation got = asked({"--config", "/no/such/rondo.toml"});
    ASSERT_EQ(got.mistakes.size(), 1u);
    EXPECT_EQ(got.mistakes[0], "/no/such/rondo.toml: cannot be read: No such file or directory");
    EXPECT_EQ(asked({"--config", "/tmp"}).mistakes.size(), 1u);
}

TEST(ConfigFile, the_flag_overrides_the_variable) {
    const temporary_file one("threads = 1\n");
    const temporary_file two("threads = 2\n");
    const std::string variable = "RONDO_CONFIG=" + two.path();
    EXPECT_EQ(asked({}, {variable.c_str()}).chosen.threads, 2u);
    EXPECT_EQ(asked({"-c", one.path().c_str()}, {variable.c_str()}).chosen.threads, 1u);
}

}  // namespace
}  // namespace rondo::cli
