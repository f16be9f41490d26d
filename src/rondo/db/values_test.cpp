// SPDX-License-Identifier: Apache-2.0
// Parameters, values and URLs, without a database.
#include <limits>

#include <gtest/gtest.h>

#include <rondo/db/error.hpp>
#include <rondo/db/parameters.hpp>
#include <rondo/db/postgres/encode.hpp>
#include <rondo/db/postgres/statement_cache.hpp>
#include <rondo/db/timestamp_text.hpp>
#include <rondo/db/url.hpp>
#include <rondo/db/value.hpp>

namespace rondo::db {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;

sql_value make_text(std::string_view t) {
    sql_value c;
    c.kind = value_kind::text;
    c.text = t;
    return c;
}

template <class T>
std::optional<T> read_as(std::string_view t) {
    T value{};
    return read_value(make_text(t), value) ? std::optional<T>(value) : std::nullopt;
}

TEST(TimestampText, round_trips) {
    for (const time_point at :
         {time_point(sys_days(year(2026) / 1 / 31) + 12h + 34min + 56s + 789us), time_point(sys_days(year(1) / 1 / 1)),
          time_point(sys_days(year(1969) / 12 / 31) + 23h), time_point(sys_days(year(9999) / 12 / 31) + 23h)}) {
        std::string written;
        ASSERT_TRUE(append_timestamp(written, at));
        EXPECT_EQ(parse_timestamp(written), at) << written;
    }
    std::string none;
    EXPECT_FALSE(append_timestamp(none, sys_days(year(10000) / 1 / 1)));
    EXPECT_FALSE(append_timestamp(none, sys_days(year(0) / 1 / 1)));
    EXPECT_TRUE(none.empty());
}

TEST(TimestampText, parses_database_formats) {
    const time_point noon = sys_days(year(2026) / 1 / 31) + 12h;
    for (const char* same : {"2026-01-31 12:00:00+00", "2026-01-31T12:00:00Z", "2026-01-31 13:00:00+01",
                             "2026-01-31 08:30:00-03:30", "2026-01-31 12:00", "2026-01-31 12:00:00.000000"})
        EXPECT_EQ(parse_timestamp(same), noon) << same;
    EXPECT_EQ(parse_timestamp("2026-01-31"), time_point(sys_days(year(2026) / 1 / 31)));
    EXPECT_EQ(parse_timestamp("2026-01-31 12:00:00.5"), noon + 500ms);
    for (const char* wrong : {"", "infinity", "2026-02-30", "2026-01-31 ", "2026-01-31 25", "2026-01-31 12:00:00+",
                              "2026-01-31 12:00:00 BC", "x2026-01-31", "2026-01-31 12:61"})
        EXPECT_EQ(parse_timestamp(wrong), std::nullopt) << wrong;
}

TEST(DatabaseValue, rejects_integers_out_of_range) {
    EXPECT_EQ(read_as<std::int8_t>("127"), 127);
    EXPECT_EQ(read_as<std::int8_t>("128"), std::nullopt);
    EXPECT_EQ(read_as<unsigned>("-1"), std::nullopt);
    EXPECT_EQ(read_as<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(read_as<long long>("-9223372036854775808"), std::numeric_limits<long long>::min());
    EXPECT_EQ(read_as<int>("1.0"), std::nullopt);
    EXPECT_EQ(read_as<int>(""), std::nullopt);
    EXPECT_EQ(read_as<int>(" 1"), std::nullopt);
    sql_value real;
    real.kind = value_kind::real;
    real.real = 3;
    std::int64_t value = 0;
    EXPECT_TRUE(read_value(real, value) && value == 3);
    real.real = 3.5;
    EXPECT_FALSE(read_value(real, value));
    real.real = 1e300;
    EXPECT_FALSE(read_value(real, value));
    double wide = 0;
    sql_value whole;
    whole.kind = value_kind::integer;
    whole.integer = 9007199254740992;
    EXPECT_TRUE(read_value(whole, wide) && wide == 9007199254740992.0);
    whole.integer = 9007199254740993;
    EXPECT_FALSE(read_value(whole, wide));
    whole.integer = std::numeric_limits<std::int64_t>::max();
    EXPECT_FALSE(read_value(whole, wide));
}

TEST(DatabaseValue, converts_other_types) {
    EXPECT_EQ(read_as<bool>("t"), true);
    EXPECT_EQ(read_as<bool>("f"), false);
    EXPECT_EQ(read_as<bool>("yes"), std::nullopt);
    EXPECT_EQ(read_as<double>("1e3"), 1000.0);
    EXPECT_EQ(read_as<double>("x"), std::nullopt);
    EXPECT_EQ(read_as<std::vector<std::byte>>("\\x00ff"), (std::vector<std::byte>{std::byte{0}, std::byte{255}}));
    EXPECT_EQ(read_as<std::vector<std::byte>>("\\x0"), std::nullopt);
    EXPECT_EQ(read_as<std::vector<std::byte>>("\\xzz"), std::nullopt);
    EXPECT_EQ(read_as<codec::json_value>("{\"a\":"), std::nullopt);
}

TEST(DatabaseValue, parses_arrays) {
    EXPECT_EQ(read_as<std::vector<int>>("{}"), std::vector<int>());
    EXPECT_EQ(read_as<std::vector<int>>("{1,2}"), (std::vector<int>{1, 2}));
    EXPECT_EQ(read_as<std::vector<std::string>>(R"({a,"b, \"c\"","\\"})"),
              (std::vector<std::string>{"a", "b, \"c\"", "\\"}));
    EXPECT_EQ((read_as<std::vector<std::optional<std::string>>>(R"({NULL,"NULL"})")),
              (std::vector<std::optional<std::string>>{std::nullopt, "NULL"}));
    EXPECT_EQ(read_as<std::vector<int>>("[1,2]"), (std::vector<int>{1, 2}));
    std::string powers = "[[1e5";  // longer when written in full
    for (int i = 0; i < 30; ++i) powers += ",1e5";
    powers += "],\"x\",null,[]]";
    const auto several = read_as<std::vector<codec::json_value>>(powers);
    ASSERT_TRUE(several.has_value() && several->size() == 4);
    EXPECT_EQ(several->at(0).size(), 31U);
    EXPECT_EQ(several->at(1), codec::json_value("x"));
    EXPECT_TRUE(several->at(2).is_null() && several->at(3).is_array());
    for (const char* wrong : {"", "1", "{", "{1", "{1,}x", "{{1}}", "{\"a", "{\"a\\", "{1}2", "[1", "[[1]]", "{x}"})
        EXPECT_EQ(read_as<std::vector<int>>(wrong), std::nullopt) << wrong;
}

// Otherwise it would become null, or different text.
TEST(QueryParameters, rejects_values_that_json_cannot_express) {
    using codec::json_value;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const json_value& wrong :
         {json_value(nan), json_value("\xff"), json_value::array({1, json_value::array({-nan})}),
          json_value::object({{"a", std::numeric_limits<double>::infinity()}}), json_value::object({{"\xff", 1}})})
        EXPECT_THROW((void)parameters(wrong), error);
    const parameters good(json_value::array({1, 0.5, nullptr, "\xc3\xa4", true}));
    EXPECT_EQ(good.bytes(good[0]), "[1,0.5,null,\"\xc3\xa4\",true]");
}

TEST(PostgresEncoder, encodes_in_postgres_format) {
    postgres::encoder e;
    e.encode(parameters(1, true, 2.5, "text", nullptr, std::vector<std::string>{"a\"b", "c\\"},
                        std::vector<std::optional<int>>{1, std::nullopt}, std::numeric_limits<double>::infinity(),
                        time_point(0us), std::vector<std::byte>{std::byte{1}}));
    const std::vector<std::string> expected{
        "1", "t", "2.5", "text", "", R"({"a\"b","c\\"})", R"({"1",NULL})", "Infinity", "1970-01-01 00:00:00.000000+00"};
    ASSERT_EQ(e.count(), 10);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (i == 4) EXPECT_EQ(e.values()[i], nullptr);
        else EXPECT_EQ(e.values()[i], expected[i]);
    }
    EXPECT_EQ(e.formats()[9], 1);
    EXPECT_EQ(e.lengths()[9], 1);
    EXPECT_THROW(e.encode(parameters(std::string_view("a\0b", 3))), error);
    e.encode(parameters(1, 2, 3, 4, 5, 6, 7, 8, 9, std::numeric_limits<std::uint64_t>::max()));
    EXPECT_STREQ(e.values()[9], "18446744073709551615");
}

TEST(StatementCache, evicts_the_least_recently_used) {
    postgres::statement_cache cache;
    const statement a("a");
    const statement b("b");
    const std::string name = cache.add(a).name;
    const std::string other = cache.add(b).name;
    EXPECT_NE(cache.find(a), nullptr);
    EXPECT_TRUE(cache.evict_to_fit(3));
    EXPECT_FALSE(cache.has_retired());
    EXPECT_TRUE(cache.evict_to_fit(2));
    EXPECT_EQ(cache.take_retired(), std::vector<std::string>{other});
    EXPECT_EQ(cache.find(b), nullptr);
    EXPECT_EQ(cache.find(a)->name, name);
}

// Behind a pooler, connections are shared: a name must mean the same statement for every client.
TEST(StatementCache, names_depend_only_on_the_text) {
    postgres::statement_cache one;
    postgres::statement_cache other;
    (void)other.add(statement("something else"));
    EXPECT_EQ(one.add(statement("select 1")).name, other.add(statement("select 1")).name);
    EXPECT_NE(one.find(statement("select 1"))->name, one.add(statement("select 2")).name);
    EXPECT_LT(one.find(statement("select 1"))->name.size(), 63U - 16U);  // room for a number
    EXPECT_FALSE(one.find(statement("select 1"))->prepared);
}

TEST(StatementCache, reuses_an_evicted_but_not_deallocated_statement) {
    postgres::statement_cache cache;
    cache.add(statement("a")).prepared = true;
    ASSERT_TRUE(cache.evict_to_fit(1));
    EXPECT_TRUE(cache.add(statement("a")).prepared);
    EXPECT_FALSE(cache.has_retired());
    ASSERT_TRUE(cache.evict_to_fit(1));
    EXPECT_FALSE(cache.add(statement("b")).prepared);
    EXPECT_FALSE(cache.evict_to_fit(1)) << "one waits to be deallocated";
}

TEST(StatementCache, renames_an_invalidated_statement) {
    postgres::statement_cache cache;
    postgres::statement_cache::entry before = cache.add(statement("a"));
    cache.invalidate(statement("a").hash(), before.serial);
    const std::string after = cache.add(statement("a")).name;
    EXPECT_NE(before.name, after);
    cache.invalidate(statement("a").hash(), before.serial);  // reported again by an execution in flight
    EXPECT_EQ(cache.find(statement("a"))->name, after);
    EXPECT_EQ(cache.take_retired(), std::vector<std::string>{before.name});
}

TEST(DatabaseUrl, hides_passwords) {
    EXPECT_EQ(redacted_url("postgres://me:hush@host/name"), "postgres://me:***@host/name");
    EXPECT_EQ(redacted_url("postgres://me:hu@sh@host/name"), "postgres://me:***@host/name");
    EXPECT_EQ(redacted_url("postgres://h/n?password=hush&a=b&sslpassword=hush"),
              "postgres://h/n?password=***&a=b&sslpassword=***");
    EXPECT_EQ(redacted_url("postgres://me:hush@h/n?password=hush"), "postgres://me:***@h/n?password=***");
    EXPECT_EQ(redacted_url("postgres://host:5432/name"), "postgres://host:5432/name");
    EXPECT_EQ(redacted_url("postgres:me:hush@h/n"), "postgres:***@h/n");
    EXPECT_EQ(redacted_url("me:hush@h/n"), "me:***@h/n");
    EXPECT_EQ(redacted_url("postgres://me:a'hush@h/n"), "postgres://me:***@h/n");
    EXPECT_EQ(redacted_url("//me:hush@h/n"), "//me:***@h/n");
    EXPECT_EQ(redacted_url("postgres://h/n?password='hush'"), "postgres://h/n?password=***");
    EXPECT_EQ(redacted_url("sqlite:/a:b@c"), "sqlite:/a:b@c");
    EXPECT_EQ(parse_url("sqlite:///tmp/x.db").text, "/tmp/x.db");
    EXPECT_EQ(parse_url("sqlite:x.db").text, "x.db");
}

}  // namespace
}  // namespace rondo::db
