// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/secrets.hpp>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

TEST(secrets, passwords_of_urls_are_hidden_however_they_are_written) {
    EXPECT_EQ(without_secrets("postgres://me:hush@db:5432/x"), "postgres://me:***@db:5432/x");
    EXPECT_EQ(without_secrets("postgres://me:hu@sh@db/x"), "postgres://me:***@db/x");
    EXPECT_EQ(without_secrets("postgres://me:hu/s?h#@db/x"), "postgres://me:***@db/x");
    EXPECT_EQ(without_secrets("redis://:hush@db:6379/0"), "redis://:***@db:6379/0");
    EXPECT_EQ(without_secrets("redis+unix://me:hush@/run/redis"), "redis+unix://me:***@/run/redis");
    EXPECT_EQ(without_secrets("http://a:one@b/,http://c:two@d/"), "http://a:***@b/,http://c:***@d/");
    EXPECT_EQ(without_secrets("'http://a:one@b/' and \"http://c:two@d/\""),
              "'http://a:***@b/' and \"http://c:***@d/\"");
    EXPECT_EQ(without_secrets("postgres://a:one,two@h1:1,h2:2/n"), "postgres://a:***@h1:1,h2:2/n");
}

TEST(secrets, so_are_those_among_the_options) {
    EXPECT_EQ(without_secrets("postgres://h/n?password=hush&a=b&sslpassword=hush#x"),
              "postgres://h/n?password=***&a=b&sslpassword=***#x");
    EXPECT_EQ(without_secrets("postgres://h/n?PASSWORD=hush"), "postgres://h/n?PASSWORD=***");
    EXPECT_EQ(without_secrets("postgres://h/n?pass%77ord=hush"), "postgres://h/n?pass%77ord=***");
    EXPECT_EQ(without_secrets("http://h/?a=1&api_key=hush"), "http://h/?a=1&api_key=***");
    EXPECT_EQ(without_secrets("host=h password=hush user=me"), "host=h password=*** user=me");
    EXPECT_EQ(without_secrets("http://u:one@h/?token=two=2"), "http://u:***@h/?token=***");
}

TEST(secrets, nothing_else_is) {
    for (const char* text : {"", "=", "a=b", "127.0.0.1:8000,unix:/run/a@b", "postgres://me@db:5432/x",
                             "http://[::1]:80/a?b=c", "sqlite:/tmp/a@b", "password=", "://", "me@example.com"})
        EXPECT_EQ(without_secrets(text), text);
}

TEST(secrets, names) {
    for (const char* name : {"password", "SMTP-Password", "secret_key", "api-key", "access_token", "pwd"})
        EXPECT_TRUE(names_secret(name)) << name;
    for (const char* name : {"", "passfile", "key", "sslkey", "user", "greeting", "%zz"})
        EXPECT_FALSE(names_secret(name)) << name;
}

}  // namespace
}  // namespace rondo::codec
