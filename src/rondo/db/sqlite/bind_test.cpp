// SPDX-License-Identifier: Apache-2.0
// Values that SQLite or JSON would alter: they round-trip unchanged or are rejected.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/file.hpp>

namespace rondo::db::sqlite {
namespace {

using namespace std::chrono_literals;
using bytes = std::vector<std::byte>;
using codec::json_value;

bytes to_bytes(std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

class SqliteValues : public ::testing::Test {
protected:
    SqliteValues() { file_.execute_script("create table things (v)"); }

    /// Stores the value in a column without type affinity and reads it back.
    template <class T>
    T round_trip(const T& value) {
        file_.execute_script("delete from things");
        (void)file_.run("insert into things values ($1)", parameters(value));
        return file_.run("select v from things", parameters()).scalar<T>();
    }
    template <class T>
    std::string bind_error(const T& value) {
        try {
            (void)file_.run("select $1", parameters(value));
        } catch (const error& e) {
            return e.what();
        }
        return {};
    }

    file file_{":memory:", 1s, 8};
};

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t max_uint64 = std::numeric_limits<std::uint64_t>::max();
constexpr auto max_int64 = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
const std::string invalid_utf8 = "a\xff\xc3";
const std::string with_zero_byte("a\0b", 3);

TEST_F(SqliteValues, rejects_numbers_that_sqlite_would_alter) {
    EXPECT_TRUE(bind_error(nan).contains("is NaN")) << bind_error(nan);
    EXPECT_TRUE(bind_error(std::numeric_limits<float>::quiet_NaN()).contains("is NaN"));
    EXPECT_TRUE(bind_error(std::optional(nan)).contains("is NaN"));
    EXPECT_EQ(round_trip(infinity), infinity);
    EXPECT_EQ(round_trip(-infinity), -infinity);
    EXPECT_EQ(round_trip(max_int64), max_int64);
    EXPECT_EQ(round_trip(std::numeric_limits<std::int64_t>::min()), std::numeric_limits<std::int64_t>::min());
    for (const std::uint64_t value : {max_int64 + 1, max_uint64}) {
        EXPECT_TRUE(bind_error(value).contains(std::to_string(value) + " exceeds the largest integer of SQLite"))
            << bind_error(value);
        EXPECT_TRUE(bind_error(std::vector<std::uint64_t>{1, value}).contains("exceeds the largest integer of SQLite"));
    }
}

TEST_F(SqliteValues, round_trips_texts_and_bytes) {
    EXPECT_EQ(round_trip(invalid_utf8), invalid_utf8);
    EXPECT_EQ(round_trip(with_zero_byte), with_zero_byte);
    EXPECT_EQ(round_trip(to_bytes(with_zero_byte)), to_bytes(with_zero_byte));
    EXPECT_EQ(round_trip(to_bytes("\\x41")), to_bytes("\\x41"));
    EXPECT_EQ(round_trip(bytes()), bytes());
    const result text = file_.run("select $1", parameters("\\x41"));
    EXPECT_EQ(text.scalar<bytes>(), to_bytes("\\x41")) << "not decoded as hexadecimal";
}

TEST_F(SqliteValues, round_trips_arrays_of_bytes) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    const std::vector<bytes> values{to_bytes(all),   to_bytes(invalid_utf8), to_bytes(with_zero_byte), bytes(),
                                    to_bytes("abc"), to_bytes("\\x41"),      to_bytes("null")};
    EXPECT_EQ(round_trip(values), values);
    const std::vector<std::optional<bytes>> holes{std::nullopt, to_bytes("\xff")};
    EXPECT_EQ(round_trip(holes), holes);
}

TEST_F(SqliteValues, round_trips_arrays_of_texts) {
    const std::vector<std::string> values{"", "\\x41", "null", "[1]", "\"q\\uote\"\n\x7f", "\xc3\xa4\xf0\x9f\x98\x80"};
    EXPECT_EQ(round_trip(values), values);
    for (const std::string& text :
         {invalid_utf8, with_zero_byte, std::string("\xed\xa0\x80"), std::string("\xc0\x80")}) {
        const std::vector<std::string> array{"good", text};
        EXPECT_TRUE(bind_error(array).contains("not UTF-8 or has a zero byte")) << bind_error(array);
        EXPECT_FALSE(bind_error(std::vector<std::optional<std::string>>{text}).empty());
    }
}

TEST_F(SqliteValues, round_trips_arrays_of_numbers) {
    using integers = std::vector<std::int64_t>;
    const integers whole{0, -1, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    EXPECT_EQ(round_trip(whole), whole);
    EXPECT_EQ(round_trip(std::vector<bool>{true, false}), (std::vector<bool>{true, false}));
    for (const double value : {nan, infinity, -infinity}) {
        const std::vector<double> array{1, value};
        EXPECT_TRUE(bind_error(array).contains("NaN or an infinity")) << bind_error(array);
        EXPECT_FALSE(bind_error(std::vector<std::optional<double>>{value}).empty());
    }
    std::vector<double> reals{0.0, -0.0, 0.1, 1e17, 1e18, 9223372036854775808.0, 5e-324, 1.7976931348623157e308};
    std::mt19937_64 random(1);
    while (reals.size() < 2000)
        if (const auto value = std::bit_cast<double>(random()); std::isfinite(value)) reals.push_back(value);
    const std::vector<double> back = round_trip(reals);
    ASSERT_EQ(back.size(), reals.size());
    for (std::size_t i = 0; i < reals.size(); ++i)
        EXPECT_EQ(std::bit_cast<std::uint64_t>(back[i]), std::bit_cast<std::uint64_t>(reals[i])) << reals[i];
    EXPECT_EQ(file_.run("select '[1e17,1e17,1e17,1e17]'", parameters()).scalar<std::vector<double>>(),
              std::vector<double>(4, 1e17));
}

TEST_F(SqliteValues, round_trips_arrays_of_times) {
    const std::vector<time_point> times{time_point(789123us), std::chrono::sys_days(std::chrono::year(1) / 1 / 1),
                                        std::chrono::sys_days(std::chrono::year(9999) / 12 / 31) + 23h};
    EXPECT_EQ(round_trip(times), times);
    for (const time_point wrong : {time_point::max(), time_point::min()}) {
        EXPECT_TRUE(bind_error(wrong).contains("between the years 1 and 9999"));
        EXPECT_TRUE(bind_error(std::vector{times[0], wrong}).contains("between the years 1 and 9999"));
    }
}

TEST_F(SqliteValues, round_trips_arrays_of_json) {
    const std::vector<json_value> values{1,
                                         "1",
                                         "text",
                                         "null",
                                         nullptr,
                                         true,
                                         max_uint64,
                                         0.5,
                                         json_value::array({1, "1"}),
                                         json_value::object({{"a", json_value::array({nullptr})}})};
    EXPECT_EQ(round_trip(values), values);
    const result nested = file_.run("select $1", parameters(std::vector<json_value>{json_value::array({1})}));
    EXPECT_THROW((void)nested.scalar<std::vector<std::string>>(), result_mismatch);
    EXPECT_THROW((void)nested.scalar<std::vector<int>>(), result_mismatch);
    const std::vector<std::vector<int>> two_dimensions{{1}, {2}};
    EXPECT_THROW((void)round_trip(two_dimensions), result_mismatch);
}

TEST_F(SqliteValues, rejects_statements_with_a_zero_byte) {
    const dynamic_sql sql(std::string("select 1\0 from nothing", 22));
    EXPECT_THROW((void)file_.run(statement(sql), parameters()), error);
    EXPECT_THROW((void)file_.is_read_only(statement(sql)), error);
    EXPECT_THROW(file_.start_stream(statement(sql), parameters()), error);
    EXPECT_THROW(file_.execute_script(std::string("select 1;\0 drop table things", 28)), error);
}

// A file created by another program: SQLite converts its texts.
TEST_F(SqliteValues, handles_utf16_files) {
    const temporary_folder folder;
    const std::string path = (folder.path() / "utf16.db").string();
    {
        file made(path, 1s, 8);
        made.execute_script("pragma encoding = 'UTF-16'; create table things (v text)");
    }
    file f(path, 1s, 8);
    const auto back = [&f](const auto& value) {
        (void)f.run("delete from things", parameters());
        (void)f.run("insert into things values ($1)", parameters(value));
        return f.run("select v from things", parameters()).scalar<std::remove_cvref_t<decltype(value)>>();
    };
    for (const std::string& text : {std::string("plain"), std::string(), with_zero_byte, std::string("\xef\xbb\xbfx"),
                                    std::string("\xc3\xa4\xf0\x9f\x98\x80")})
        EXPECT_EQ(back(text), text);
    EXPECT_EQ(back(std::vector<std::string>{"\xc3\xa4"}), std::vector<std::string>{"\xc3\xa4"});
    EXPECT_EQ(back(to_bytes(invalid_utf8)), to_bytes(invalid_utf8));
    for (const std::string& text : {invalid_utf8, std::string("\xef\xbf\xbf")}) EXPECT_THROW((void)back(text), error);
    EXPECT_THROW((void)back(std::vector<std::string>{"\xef\xbf\xbe"}), error);
}

}  // namespace
}  // namespace rondo::db::sqlite
