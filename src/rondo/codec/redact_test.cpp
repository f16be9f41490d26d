// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/redact.hpp>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

TEST(Redact, hides_passwords_in_urls) {
    EXPECT_EQ(redacted_text("postgres://me:hush@db:5432/x"), "postgres://me:***@db:5432/x");
    EXPECT_EQ(redacted_text("postgres://me:hu@sh@db/x"), "postgres://me:***@db/x");
    EXPECT_EQ(redacted_text("postgres://me:hu/s?h#@db/x"), "postgres://me:***@db/x");
    EXPECT_EQ(redacted_text("redis://:hush@db:6379/0"), "redis://:***@db:6379/0");
    EXPECT_EQ(redacted_text("redis+unix://me:hush@/run/redis"), "redis+unix://me:***@/run/redis");
    EXPECT_EQ(redacted_text("http://a:one@b/,http://c:two@d/"), "http://a:***@b/,http://c:***@d/");
    EXPECT_EQ(redacted_text("'http://a:one@b/' and \"http://c:two@d/\""), "'http://a:***@b/' and \"http://c:***@d/\"");
    EXPECT_EQ(redacted_text("postgres://a:one,two@h1:1,h2:2/n"), "postgres://a:***@h1:1,h2:2/n");
}

TEST(Redact, hides_secret_options) {
    EXPECT_EQ(redacted_text("postgres://h/n?password=hush&a=b&sslpassword=hush#x"),
              "postgres://h/n?password=***&a=b&sslpassword=***#x");
    EXPECT_EQ(redacted_text("postgres://h/n?PASSWORD=hush"), "postgres://h/n?PASSWORD=***");
    EXPECT_EQ(redacted_text("postgres://h/n?pass%77ord=hush"), "postgres://h/n?pass%77ord=***");
    EXPECT_EQ(redacted_text("http://h/?a=1&api_key=hush"), "http://h/?a=1&api_key=***");
    EXPECT_EQ(redacted_text("host=h password=hush user=me"), "host=h password=*** user=me");
    EXPECT_EQ(redacted_text("http://u:one@h/?token=two=2"), "http://u:***@h/?token=***");
}

struct redaction {
    const char* text;
    const char* expected;
};

TEST(Redact, hides_the_password_of_a_single_url_with_any_characters) {
    for (const auto& [url, expected] : {
             redaction{"postgres://u:a'hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:\"hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:a<hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:a>hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:a hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:a\nhunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:x@y' hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:x,http://hunter2@h/db", "postgres://u:***@h/db"},
             redaction{"postgres://u:hunter2%40h/db", "postgres://u:***%40h/db"},
             redaction{"u:hunter2@h/db", "u:***@h/db"},
             redaction{":hunter2@h", ":***@h"},
             redaction{"//u:hunter2@h/db", "//u:***@h/db"},
             redaction{"u:x://hunter2@h", "u:***@h"},
             redaction{"postgres:u:hunter2@h/db", "postgres:***@h/db"},
             redaction{"postgres:/u:hunter2@h/db", "postgres:***@h/db"},
             redaction{"postgres;//u:hunter2@h/db", "postgres;//u:***@h/db"},
             redaction{"redis:u:hunter2@h", "redis:***@h"},
             redaction{"redis//u:hunter2@h", "redis//u:***@h"},
             redaction{"http://h:8080/hunter2@h/", "http://h:***@h/"},
         })
        EXPECT_EQ(redacted_url(url), expected) << url;
}

TEST(Redact, hides_secret_options_of_a_single_url) {
    for (const auto& [url, expected] : {
             redaction{"postgres://h/n?password='hunter2'&a=b", "postgres://h/n?password=***&a=b"},
             redaction{"postgres://h/n?password='hunter2", "postgres://h/n?password=***"},
             redaction{"postgres://h/n?password=\"hunter2\"&a=b", "postgres://h/n?password=***&a=b"},
             redaction{"postgres://h/n?password=a'hunter2&a=b", "postgres://h/n?password=***&a=b"},
             redaction{"postgres://h/n?password=a<hunter2", "postgres://h/n?password=***"},
             redaction{"postgres://h/n?password=a,hunter2;#hunter2&a=b", "postgres://h/n?password=***&a=b"},
             redaction{"postgres://h/n?password=a hunter2", "postgres://h/n?password=***"},
             redaction{"postgres://h/n?password=a&hunter2", "postgres://h/n?password=***"},
             redaction{"postgres://h/n?a=b&PASSWORD = hunter2", "postgres://h/n?a=b&PASSWORD = ***"},
             redaction{"host=h password='hunter2' user=u", "host=h password=*** user=u"},
             redaction{"host=h password='it\\'s hunter2' user=u", "host=h password=*** user=u"},
             redaction{"host=h password='a user=hunter2' user=u", "host=h password=*** user=u"},
             redaction{"host=h password = hunter2 user = u", "host=h password = *** user = u"},
             redaction{"host=h password\t=\n'hunter2' user=u", "host=h password\t=\n*** user=u"},
             redaction{"password=a\\ b=hunter2 host=h", "password=*** host=h"},
             redaction{"password=a&hunter2 host=h", "password=*** host=h"},
             redaction{"a:b password=x@y hunter2", "a:***"},
             redaction{"Host=h;Password=hunter2;User=u", "Host=h;Password=***;User=u"},
             redaction{"\"password\" = \"hunter2\"", "\"password\" = ***"},
             redaction{"host=h password='hunter2", "host=h password=***"},
         })
        EXPECT_EQ(redacted_url(url), expected) << url;
}

TEST(Redact, keeps_a_url_without_a_password) {
    for (const char* url :
         {"", "postgres://me@db:5432/x?sslmode=require", "postgres://h1:1,h2:2/n", "http://[::1]:80/a?b=c",
          "sqlite:/a:b@c", "sqlite::memory:", "memory:rooms", "redis://h:6379/0?prefix=a", "host=h user=u",
          "redis+unix:///run/redis.sock?db=4", "unix:/run/a:b@c", "http://h/?password=", "me@example.com", "h:80"})
        EXPECT_EQ(redacted_url(url), url);
    for (const char* url : {"postgres://u:a'hunter2@h/db", "u:hunter2@h", "host=h password = 'a b' user=u"}) {
        EXPECT_EQ(redacted_url(redacted_url(url)), redacted_url(url));
        EXPECT_EQ(redacted_text(redacted_url(url)), redacted_url(url));
    }
}

TEST(Redact, hides_passwords_with_quotes_or_spaces_in_a_sentence) {
    for (const auto& [text, expected] : {
             redaction{"cannot connect to postgres://u:a'hunter2@h/db: refused",
                       "cannot connect to postgres://u:***@h/db: refused"},
             redaction{"'postgres://u:a\"hunter2@h/db' is wrong", "'postgres://u:***@h/db' is wrong"},
             redaction{"<postgres://u:a<hunter2@h/db>, me@h", "<postgres://u:***@h/db>, me@h"},
             redaction{"at postgres://u:a hunter2@h/db: refused", "at postgres://u:***@h/db: refused"},
             redaction{"at postgres://u:a' hunter2@h/db: refused", "at postgres://u:***@h/db: refused"},
             redaction{"at postgres://u:x,http://hunter2@h: refused", "at postgres://u:***@h: refused"},
             redaction{"'redis//u:hunter2@h' is wrong", "'redis//u:***@h' is wrong"},
             redaction{"'host=h password='hunter2'' is wrong", "'host=h password=***' is wrong"},
             redaction{"'host=h password = 'a \\'hunter2' user=u' is wrong", "'host=h password = *** user=u' is wrong"},
             redaction{"'host=h password = hunter2 user=u' is wrong", "'host=h password = *** user=u' is wrong"},
             redaction{"'host=h password=a,hunter2&b' is wrong", "'host=h password=***' is wrong"},
             redaction{"'postgres://h/n?password=a'hunter2&b=c' is wrong",
                       "'postgres://h/n?password=***&b=c' is wrong"},
         })
        EXPECT_EQ(redacted_text(text), expected) << text;
}

TEST(Redact, keeps_prose) {
    for (const char* text :
         {"http://h:80: refused; write to me@example.com", "see http://h/x:y and write to me@example.com",
          "'http://h:80/' and 'http://[::1]:81/', ask me@example.com", "http://host: refused, says me@example.com",
          "'password=' is empty", "mailto:me@example.com", "127.0.0.1:8000 // of me@example.com",
          "http://a:80,http://b:81,postgres://me@h/", "<http://a:80>, <http://me@b>", "the password is wrong: a = b"})
        EXPECT_EQ(redacted_text(text), text);
}

TEST(Redact, keeps_other_texts) {
    for (const char* text : {"", "=", "a=b", "127.0.0.1:8000,unix:/run/a@b", "postgres://me@db:5432/x",
                             "http://[::1]:80/a?b=c", "sqlite:/tmp/a@b", "password=", "://", "me@example.com"})
        EXPECT_EQ(redacted_text(text), text);
}

TEST(Redact, recognizes_names_of_secrets_and_urls) {
    for (const char* name : {"password", "SMTP-Password", "secret_key", "api-key", "access_token", "pwd"})
        EXPECT_TRUE(is_secret_name(name)) << name;
    for (const char* name : {"", "passfile", "key", "sslkey", "user", "greeting", "%zz"})
        EXPECT_FALSE(is_secret_name(name)) << name;
    for (const char* name : {"db-url", "URL", "peer_uri", "upstreams", "http-proxy", "proxies", "dsn"})
        EXPECT_TRUE(is_url_name(name)) << name;
    for (const char* name : {"", "security", "curl", "greeting", "-"}) EXPECT_FALSE(is_url_name(name)) << name;
}

}  // namespace
}  // namespace rondo::codec
