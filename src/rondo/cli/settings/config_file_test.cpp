// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/sources.hpp>

#include <rondo/cli/settings/settings_fixture.hpp>

namespace rondo::cli {
namespace {

command_line parse_with_file(const temporary_file& file) {
    return parse_arguments({"check", "--config", file.path().c_str()});
}

std::string errors_in(std::string_view text) {
    const temporary_file file(text);
    std::string errors;
    for (std::string m : parse_with_file(file).errors) {
        if (const std::size_t at = m.find(file.path()); at != m.npos) m.replace(at, file.path().size(), "FILE");
        errors += m + "\n";
    }
    return errors;
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
    const command_line got = parse_with_file(file);
    ASSERT_TRUE(got.errors.empty()) << got.errors[0];
    EXPECT_EQ(got.settings.binds.size(), 2u);
    EXPECT_EQ(got.settings.limits.max_body, 2u << 20);
    EXPECT_EQ(got.settings.limits.keepalive_timeout, std::chrono::seconds(30));
    EXPECT_EQ(got.settings.limits.header_timeout, std::chrono::milliseconds(2500));
    EXPECT_TRUE(got.settings.limits.proxy_protocol);
    EXPECT_EQ(got.settings.access_log, "off");
    EXPECT_EQ(got.settings.limits.forwarded_allow.text(), "10.0.0.0/8,unix");
    ASSERT_EQ(got.settings.compute.size(), 2u);
    EXPECT_EQ(got.settings.compute[0].name + got.settings.compute[1].name, "modelother");
    EXPECT_EQ(origin_of(got, "max-body"), file.path() + ":3");
}

TEST(ConfigFile, errors_name_the_line) {
    EXPECT_EQ(errors_in("\nthreads = 'x'\n"), "FILE:2: threads: 'x' is not a whole number from 1 to 10000\n");
    EXPECT_EQ(errors_in("treads = 4\n"), "FILE:1: treads: unknown setting; did you mean threads?\n");
    EXPECT_EQ(errors_in("threads = [1, 2]\n"), "FILE:1: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(errors_in("threads = 1979-05-27\n"), "FILE:1: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(errors_in("bind = [[1]]\n"), "FILE:1: bind: contains an item that is not a string or a number\n");
    EXPECT_EQ(errors_in("\n[threads]\nx = 1\n"), "FILE:2: threads: expected a string, a number or a boolean\n");
    EXPECT_EQ(errors_in("max-body = 1\nmax_body = 2\n").substr(0, 5), "FILE:");
    EXPECT_EQ(errors_in("config = 'x'\n"),
              "FILE:1: config: cannot be set in the file; use the flag or the environment variable\n");
    EXPECT_EQ(errors_in("compute-workers = 3\n").find("'3' is not NAME=N") != std::string::npos, true);
}

TEST(ConfigFile, octal_settings_follow_toml_integers) {
    for (const char* text :
         {"unix-mode = 0o660\n", "unix-mode = 432\n", "unix-mode = '0660'\n", "unix-mode = '660'\n"}) {
        const temporary_file file(text);
        const command_line got = parse_with_file(file);
        ASSERT_TRUE(got.errors.empty()) << got.errors[0];
        EXPECT_EQ(got.settings.listening.mode, 0660u) << text;
    }
    for (const char* text :
         {"unix-mode = 660\n", "unix-mode = -1\n", "unix-mode = 660.0\n", "unix-mode = true\n", "umask = 777\n"})
        EXPECT_NE(errors_in(text), "") << text;
}

TEST(ConfigFile, rejects_invalid_toml) {
    const std::string errors = errors_in("threads = 4\nbind = \n");
    EXPECT_EQ(errors.substr(0, 7), "FILE:2:") << errors;
    EXPECT_EQ(errors_in(""), "");
}

TEST(ConfigFile, reports_a_missing_file) {
    const command_line got = parse_arguments({"--config", "/no/such/rondo.toml"});
    ASSERT_EQ(got.errors.size(), 1u);
    EXPECT_EQ(got.errors[0], "/no/such/rondo.toml: cannot be read: No such file or directory");
    EXPECT_EQ(parse_arguments({"--config", "/tmp"}).errors.size(), 1u);
}

TEST(ConfigFile, the_flag_overrides_the_variable) {
    const temporary_file one("threads = 1\n");
    const temporary_file two("threads = 2\n");
    const std::string variable = "RONDO_CONFIG=" + two.path();
    EXPECT_EQ(parse_arguments({}, {variable.c_str()}).settings.threads, 2u);
    EXPECT_EQ(parse_arguments({"-c", one.path().c_str()}, {variable.c_str()}).settings.threads, 1u);
}

}  // namespace
}  // namespace rondo::cli
