// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

json_value parsed(std::string_view text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text << ": " << value.error().message;
    return value ? *std::move(value) : json_value();
}

TEST(Json, parses_and_finds_members) {
    const json_value v = parsed(R"( {"name": "J\u00f6rg", "age": 41, "big": 18446744073709551615, "half": 0.5,
                                     "tags": ["a", null, true], "in": {"x": -1}} )");
    EXPECT_EQ(v["name"].as_string(), "J\xc3\xb6rg");
    EXPECT_EQ(v["age"].as_integer(), 41);
    EXPECT_EQ(v["age"].as_number(), 41.0);
    EXPECT_EQ(v["half"].as_number(), 0.5);
    EXPECT_EQ(v["half"].if_integer(), std::nullopt);
    EXPECT_EQ(v["big"].if_integer(), std::nullopt);
    EXPECT_EQ(v["big"].as_number(), 18446744073709551615.0);
    EXPECT_EQ(v["tags"].size(), 3U);
    EXPECT_EQ(v["tags"][0].as_string(), "a");
    EXPECT_TRUE(v["tags"][1].is_null());
    EXPECT_TRUE(v["tags"][2].as_bool());
    EXPECT_EQ(v["in"]["x"].as_integer(), -1);
    EXPECT_EQ(v.size(), 6U);
    EXPECT_EQ(v.as_object()[0].name, "name");
}

TEST(Json, missing_members_are_null) {
    const json_value v = parsed(R"({"a": 1})");
    EXPECT_TRUE(v["x"]["y"][3].is_null());
    EXPECT_EQ(v.find("x"), nullptr);
    EXPECT_EQ(v["a"].if_string(), nullptr);
    EXPECT_EQ(v["a"].if_bool(), std::nullopt);
    EXPECT_THROW((void)v["a"].as_string(), std::invalid_argument);
    EXPECT_THROW((void)v["x"].as_integer(), std::invalid_argument);
    EXPECT_THROW((void)v.as_array(), std::invalid_argument);
    EXPECT_THROW((void)v.as_bool(), std::invalid_argument);
}

TEST(Json, the_last_of_equal_names_counts) { EXPECT_EQ(parsed(R"({"a":1,"a":2})")["a"].as_integer(), 2); }

TEST(Json, rejects_invalid_texts) {
    for (const char* bad :
         {"",    " ",     "{",        "[1,]",     "{\"a\":}", "{a:1}",       "'a'", "01",    "1.",        "+1",
          "nul", "[1] x", "\"\x01\"", "\"\xff\"", "\"\\x\"",  "\"\\ud800\"", "NaN", "1e999", "{\"a\" 1}", "//\n1"}) {
        const auto value = parse_json(bad);
        EXPECT_FALSE(value) << bad;
        EXPECT_TRUE(value || !value.error().message.empty());
    }
}

TEST(Json, limits_the_depth) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(parse_json(nested(max_json_depth - 1)));
    EXPECT_FALSE(parse_json(nested(max_json_depth + 1)));
    EXPECT_FALSE(parse_json(std::string(1000000, '[')));
}

TEST(Json, writes_built_values) {
    json_value v = json_value::object(
        {{"a", 1}, {"b", json_value::array({true, nullptr, "x", 2.5})}, {"c", json_value::object()}});
    v.set("a", -7);
    v.set("d", std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(to_string(v), R"({"a":-7,"b":[true,null,"x",2.5],"c":{},"d":18446744073709551615})");
    EXPECT_EQ(to_string(json_value()), "null");
    EXPECT_EQ(to_string(json_value::array()), "[]");
    json_value list;
    list.push_back(1);
    list.push_back("two");
    EXPECT_EQ(to_string(list), R"([1,"two"])");
    EXPECT_THROW(list.set("a", 1), std::invalid_argument);
    EXPECT_THROW(v.push_back(1), std::invalid_argument);
}

TEST(Json, writes_numbers) {
    EXPECT_EQ(to_string(json_value(0.1)), "0.1");
    EXPECT_EQ(to_string(json_value(1e300)), "1e+300");
    EXPECT_EQ(to_string(json_value(5e19)), "5e+19");
    EXPECT_EQ(to_string(json_value(-0.0)), "-0.0");
    EXPECT_EQ(to_string(json_value(0.0)), "0");
    EXPECT_EQ(parsed(to_string(json_value(5.0000002408660253e19))).as_number(), 5.0000002408660253e19);
    EXPECT_EQ(to_string(json_value(std::nan(""))), "null");
    EXPECT_EQ(to_string(json_value(std::numeric_limits<double>::infinity())), "null");
    EXPECT_EQ(to_string(json_value(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
    EXPECT_EQ(json_value(1e18).as_integer(), 1000000000000000000);
    EXPECT_EQ(json_value(1e19).if_integer(), std::nullopt);
    EXPECT_EQ(json_value(3.0), json_value(3));
}

TEST(Json, integers_of_more_than_64_bits_are_doubles) {
    EXPECT_EQ(parsed("18446744073709551615").if_integer(), std::nullopt);
    EXPECT_EQ(to_string(parsed("[18446744073709551615,-9223372036854775808,9223372036854775807]")),
              "[18446744073709551615,-9223372036854775808,9223372036854775807]");
    EXPECT_EQ(parsed("18446744073709551616").as_number(), 18446744073709551616.0);
    EXPECT_EQ(parsed("-9223372036854775809").as_number(), -9223372036854775808.0);
    EXPECT_EQ(parsed("1000000000000000000000000000000").as_number(), 1e30);
    const json_value mixed = parsed(
        R"({"a":[1,-2.5e3,123456789012345678901, 0.123456789012345678901,1E5],"123456789012345678901":"123456789012345678901",)"
        R"("q\"1":123456789012345678901})");
    EXPECT_EQ(mixed["a"][0].as_integer(), 1);
    EXPECT_EQ(mixed["a"][1].as_number(), -2500);
    EXPECT_EQ(mixed["a"][2].as_number(), 123456789012345678901.0);
    EXPECT_EQ(mixed["a"][4].as_number(), 1e5);
    EXPECT_EQ(mixed["123456789012345678901"].as_string(), "123456789012345678901");
    EXPECT_EQ(mixed["q\"1"].as_number(), 123456789012345678901.0);
    for (const std::string& bad : {std::string("1e400"), std::string(400, '9'), std::string("00000000000000000000000"),
                                   std::string("123456789012345678901x"), std::string("-"), std::string("--1")})
        EXPECT_FALSE(parse_json(bad)) << bad;
}

TEST(Json, ignores_a_byte_order_mark) {
    EXPECT_EQ(parsed("\xEF\xBB\xBF[1]")[0].as_integer(), 1);
    EXPECT_FALSE(parse_json("\xEF\xBB[1]"));
    EXPECT_FALSE(parse_json("\xEF\xBB\xBF"));
    EXPECT_FALSE(
        parse_json("[\xEF\xBB\xBF"
                   "1]"));
}

TEST(Json, escapes_strings) {
    const auto text = [](std::string_view s) {
        std::string out;
        append_json_string(out, s);
        return out;
    };
    EXPECT_EQ(text("plain \xc3\xa9"), "\"plain \xc3\xa9\"");
    EXPECT_EQ(text("\"\\\b\f\n\r\t\x01\x1f"), R"("\"\\\b\f\n\r\t\u0001\u001f")");
    EXPECT_EQ(text(std::string_view("\0", 1)), R"("\u0000")");
    EXPECT_EQ(text("\x7f/"), "\"\x7f/\"");
    EXPECT_EQ(text("a\xff"
                   "b\xc3"),
              "\"a\xEF\xBF\xBD"
              "b\xEF\xBF\xBD\"");
    for (int c = 0; c < 256; ++c) {
        const std::string one(1, static_cast<char>(c));
        const json_value back = parsed(text(one));
        EXPECT_EQ(back.as_string(), c < 128 ? one : "\xEF\xBF\xBD") << c;
    }
}

TEST(Json, round_trips) {
    const std::string text = R"({"a":[1,-2,3.5,"x\ny",{"b":null,"c":[[],{}]}],"d":true})";
    EXPECT_EQ(to_string(parsed(text)), text);
    EXPECT_EQ(parsed(text), parsed(to_string(parsed(text))));
}

TEST(Json, writer_appends_nested_values) {
    std::string out;
    json_writer w(out);
    w.begin_object()
        .member("a", 1)
        .key("b")
        .begin_array()
        .value(true)
        .value("x")
        .value(nullptr)
        .begin_object()
        .end_object()
        .end_array();
    w.member("c", 0.5)
        .member("d", std::string_view("\n"))
        .member("e", json_value::array({1}))
        .member("f", std::size_t{3})
        .end_object();
    EXPECT_EQ(out, R"({"a":1,"b":[true,"x",null,{}],"c":0.5,"d":"\n","e":[1],"f":3})");
}

}  // namespace
}  // namespace rondo::codec
