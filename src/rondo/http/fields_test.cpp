// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/fields.hpp>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

using namespace std::string_literals;

std::vector<std::pair<std::string, std::string>> lines_of(const fields& f) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const field line : f) out.emplace_back(line.name, line.value);
    return out;
}

TEST(Fields, empty_has_the_size_of_a_pointer) {
    const fields f;
    EXPECT_EQ(sizeof f, sizeof(void*));
    EXPECT_TRUE(f.empty());
    EXPECT_EQ(f.size(), 0U);
    EXPECT_EQ(f.wire(), "");
    EXPECT_EQ(f.begin(), f.end());
    EXPECT_FALSE(f.contains("a"));
}

TEST(Fields, keeps_order_and_repetition) {
    fields f;
    f.add("Set-Cookie", "a=1");
    f.add("X", "");
    f.add("set-cookie", " b=2\t");
    EXPECT_EQ(f.wire(), "Set-Cookie: a=1\r\nX: \r\nset-cookie: b=2\r\n");
    EXPECT_EQ(lines_of(f), (std::vector<std::pair<std::string, std::string>>{
                               {"Set-Cookie", "a=1"}, {"X", ""}, {"set-cookie", "b=2"}}));
    EXPECT_EQ(f.size(), 3U);
    EXPECT_EQ(f.count("SET-COOKIE"), 2U);
    EXPECT_EQ(f.find("SET-COOKIE"), "a=1");
    EXPECT_EQ(f.find("x"), "");
    EXPECT_EQ(f.find("set-cooki"), std::nullopt);
}

TEST(Fields, values_may_contain_colons) {
    fields f;
    f.add("X", ": a: b");
    EXPECT_EQ((*f.begin()), (field{"X", ": a: b"}));
}

TEST(Fields, removes_and_sets) {
    fields f;
    for (const char* name : {"a", "b", "A", "c", "a"}) f.add(name, name);
    EXPECT_EQ(f.remove("a"), 3U);
    EXPECT_EQ(f.wire(), "b: b\r\nc: c\r\n");
    EXPECT_EQ(f.remove("a"), 0U);
    f.set("B", "2");
    EXPECT_EQ(f.wire(), "c: c\r\nB: 2\r\n");
    f.set("d", "3");
    EXPECT_EQ(f.wire(), "c: c\r\nB: 2\r\nd: 3\r\n");
    f.clear();
    EXPECT_TRUE(f.empty());
    EXPECT_EQ(f.remove("a"), 0U);
}

TEST(Fields, arguments_may_be_views_into_the_fields) {
    fields f;
    f.add("Name", "value");
    for (int i = 0; i < 50; ++i) f.add((*f.begin()).name, (*f.begin()).value);
    EXPECT_EQ(f.count("name"), 51U);
    f.set((*f.begin()).name, *f.find("name"));
    EXPECT_EQ(f.wire(), "Name: value\r\n");
    f.add("Other", "x");
    f.add("Name", "y");
    EXPECT_EQ(f.remove((*f.begin()).name), 2U);
    EXPECT_EQ(f.wire(), "Other: x\r\n");
}

TEST(Fields, copies_and_moves) {
    fields f;
    f.add("A", "1");
    fields copy = f;
    copy.add("B", "2");
    EXPECT_EQ(f.wire(), "A: 1\r\n");
    EXPECT_EQ(copy.wire(), "A: 1\r\nB: 2\r\n");
    const fields moved = std::move(copy);
    EXPECT_EQ(moved.size(), 2U);
    f = moved;
    EXPECT_EQ(f.wire(), moved.wire());
    const fields& same = f;
    f = same;
    EXPECT_EQ(f.wire(), moved.wire());
    f = fields();
    EXPECT_TRUE(f.empty());
}

TEST(Fields, rejects_what_would_split_the_head) {
    fields f;
    for (const std::string& bad : {"a\r\nX: 1"s, "a\nb"s, "a\rb"s, "a\0b"s, "\x7f"s, "\x01"s, "a\r"s, "\n"s}) {
        EXPECT_THROW(f.add("X", bad), std::invalid_argument) << bad;
        EXPECT_THROW(f.set("X", bad), std::invalid_argument) << bad;
    }
    for (const std::string& bad : {""s, "a b"s, "a:"s, "a\r\n"s, "\xc3\xa9"s, "(a)"s, "a\0"s}) {
        EXPECT_THROW(f.add(bad, "v"), std::invalid_argument) << bad;
    }
    EXPECT_TRUE(f.empty());
    f.add("X", "tab\tand \xc3\xa9");
    EXPECT_EQ(f.find("x"), "tab\tand \xc3\xa9");
}

TEST(Fields, a_rejected_set_changes_nothing) {
    fields f;
    f.add("X", "1");
    EXPECT_THROW(f.set("X", "\n2"s + "\0"s), std::invalid_argument);
    EXPECT_EQ(f.wire(), "X: 1\r\n");
}

class FieldsView : public ::testing::Test {
protected:
    static constexpr std::string_view text = "Host: a\r\nX: 1, Foo\r\nx: bar ,2\r\nY:\r\n";
    std::array<field_ref, 4> refs_ = {{{{0, 4}, {6, 1}}, {{9, 1}, {12, 6}}, {{20, 1}, {23, 6}}, {{31, 1}, {33, 0}}}};
    fields_view view_{text.data(), refs_};
};

TEST_F(FieldsView, finds_names_case_insensitively) {
    EXPECT_EQ(view_.size(), 4U);
    EXPECT_EQ(view_.find("HOST"), "a");
    EXPECT_EQ(view_.find("y"), "");
    EXPECT_EQ(view_.find("z"), std::nullopt);
    EXPECT_EQ(view_.count("X"), 2U);
    EXPECT_TRUE(view_.contains("X"));
}

TEST_F(FieldsView, iterates) {
    std::string all;
    for (const auto [name, value] : view_) all += std::string(name) + "=" + std::string(value) + ";";
    EXPECT_EQ(all, "Host=a;X=1, Foo;x=bar ,2;Y=;");
    std::vector<std::string> values;
    for (const std::string_view value : view_.find_all("x")) values.emplace_back(value);
    EXPECT_EQ(values, (std::vector<std::string>{"1, Foo", "bar ,2"}));
    EXPECT_EQ(view_.find_all("z").begin(), view_.find_all("z").end());
}

TEST_F(FieldsView, finds_tokens_in_several_lines) {
    for (const char* token : {"1", "foo", "FOO", "bar", "2"}) EXPECT_TRUE(view_.contains_token("X", token)) << token;
    for (const char* token : {"fo", "bar ", "3", "1, foo"}) EXPECT_FALSE(view_.contains_token("X", token)) << token;
}

TEST(FieldText, list_contains_tokens) {
    EXPECT_TRUE(list_contains(",, a ,\tB\t,", "b"));
    EXPECT_FALSE(list_contains("", "a"));
    EXPECT_FALSE(list_contains("ab", "a"));
    EXPECT_FALSE(list_contains("a b", "a"));
}

TEST(FieldText, trimmed_removes_spaces_and_tabs) {
    EXPECT_EQ(trimmed(" \t a b \t "), "a b");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(trimmed("\na\r"), "\na\r");
}

TEST(FieldText, ignores_the_case_of_ascii_letters_only) {
    EXPECT_TRUE(equals_ignore_case("aZ-9", "Az-9"));
    EXPECT_FALSE(equals_ignore_case("a", "ab"));
    EXPECT_FALSE(equals_ignore_case("@", "`"));
    EXPECT_FALSE(equals_ignore_case("[", "{"));
    EXPECT_FALSE(equals_ignore_case("\xc9", "\xe9"));
}

TEST(FieldText, knows_connection_fields) {
    for (const char* name : {"Connection", "content-length", "KEEP-ALIVE", "Proxy-Connection", "TE", "Trailer",
                             "Transfer-Encoding", "Upgrade"}) {
        EXPECT_TRUE(is_connection_field(name)) << name;
    }
    for (const char* name : {"", "Date", "Content-Type", "Content-Lengths", "Set-Cookie"}) {
        EXPECT_FALSE(is_connection_field(name)) << name;
    }
}

}  // namespace
}  // namespace rondo::http
