// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json_struct.hpp>

#include <gtest/gtest.h>

namespace rondo::codec {

struct address {
    std::string city;
    int number = 0;
    friend bool operator==(const address&, const address&) = default;
};
RONDO_DESCRIBE(address, city, number);

struct person {
    std::int64_t id = 0;
    std::string name;
    bool admin = false;
    double weight = 0;
    std::optional<std::string> nick;
    std::vector<std::string> tags;
    std::vector<address> homes;
    json_value extra;
    int secret = 7;  // not described
    friend bool operator==(const person&, const person&) = default;
};
RONDO_DESCRIBE(person, id, name, admin, weight, nick, tags, homes, extra);

namespace {

struct small {
    std::uint8_t n = 0;
};
RONDO_DESCRIBE(small, n);

static_assert(described<person> && !described<int> && !described<std::string>);
static_assert(member_count<person> == 8 && member_count<small> == 1);
static_assert(std::get<1>(members<person>).name == "name");

TEST(Describe, lists_members_in_order) {
    person p;
    std::string names;
    for_each_member(p, [&](std::string_view name, auto&) { names += std::string(name) + " "; });
    EXPECT_EQ(names, "id name admin weight nick tags homes extra ");
    const address fixed{"Ulm", 3};
    for_each_member(fixed, [](std::string_view, const auto&) {});
}

TEST(JsonStruct, round_trips) {
    person p{1, "J\xc3\xb6rg", true, 70.5, std::nullopt, {"a", "b"}, {{"Ulm", 3}, {"Bern", 4}}, json_value(5), 7};
    const std::string text = to_json(p);
    EXPECT_EQ(text,
              "{\"id\":1,\"name\":\"J\xc3\xb6rg\",\"admin\":true,\"weight\":70.5,\"nick\":null,\"tags\":[\"a\",\"b\"],"
              "\"homes\":[{\"city\":\"Ulm\",\"number\":3},{\"city\":\"Bern\",\"number\":4}],\"extra\":5}");
    const auto back = parse_json_as<person>(text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, p);
    EXPECT_EQ(to_json(std::vector<small>{{1}, {2}}), R"([{"n":1},{"n":2}])");
    EXPECT_EQ(to_json(std::optional<small>()), "null");
}

TEST(JsonStruct, reports_values_of_the_wrong_type) {
    const auto error = [](std::string_view text) {
        const auto read = parse_json_as<person>(text);
        return read ? std::string("none") : read.error().message;
    };
    const std::string rest = R"("name":"x","admin":false,"weight":1,"tags":[],"homes":[],"extra":null)";
    EXPECT_EQ(error("{\"id\":1," + rest + ",\"other\":1}"), "none");
    EXPECT_EQ(error("{" + rest + "}"), "'id' is missing");
    EXPECT_EQ(error("{\"id\":\"1\"," + rest + "}"), "'id' is not an integer in range");
    EXPECT_EQ(error("[]"), "is not an object");
    EXPECT_EQ(error("{\"id\":1,\"name\":\"x\",\"admin\":false,\"weight\":1,\"tags\":[\"a\",2]}"),
              "'tags[1]' is not a string");
    EXPECT_EQ(error("{\"id\":1,\"name\":\"x\",\"admin\":false,\"weight\":1,\"tags\":[],\"homes\":[{\"city\":1}]}"),
              "'homes[0].city' is not a string");
    for (const char* wrong : {R"({"n":256})", R"({"n":-1})", R"({"n":1.5})", R"({"n":null})", "{"})
        EXPECT_FALSE(parse_json_as<small>(wrong)) << wrong;
    EXPECT_EQ(parse_json_as<small>(R"({"n":255})")->n, 255);
}

}  // namespace
}  // namespace rondo::codec
