// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/sse.hpp>

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(Sse, formats_events) {
    EXPECT_EQ(to_string(server_sent_event{.data = "hello"}), "data: hello\n\n");
    EXPECT_EQ(to_string(server_sent_event{.data = "x", .event = "tick", .id = "7", .retry = 1500}),
              "id: 7\nevent: tick\nretry: 1500\ndata: x\n\n");
    EXPECT_EQ(to_string(server_sent_event{.data = ""}), "data: \n\n");
    EXPECT_EQ(to_string(server_sent_event{.data = "x", .event = "", .id = "", .retry = 0}),
              "id: \nretry: 0\ndata: x\n\n");
}

TEST(Sse, splits_data_into_lines) {
    EXPECT_EQ(to_string(server_sent_event{.data = "a\nb\r\nc\rd\n"}), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
    EXPECT_EQ(to_string(server_sent_event{.data = "a\n\rb"}), "data: a\ndata: \ndata: b\n\n");
    EXPECT_EQ(to_string(server_sent_event{.data = " lead\n:not a comment\nid: 5"}),
              "data:  lead\ndata: :not a comment\ndata: id: 5\n\n");
}

TEST(Sse, formats_comments) {
    std::string out;
    append_comment(out, "keep-alive");
    EXPECT_EQ(out, ": keep-alive\n\n");
    out.clear();
    append_comment(out, "a\ndata: b");
    EXPECT_EQ(out, ": a\n: data: b\n\n");
}

TEST(Sse, rejects_line_breaks_in_event_and_id) {
    std::string out;
    EXPECT_THROW(append(out, {.data = "x", .event = "a\nb"}), std::invalid_argument);
    EXPECT_THROW(append(out, {.data = "x", .event = "a\rb"}), std::invalid_argument);
    EXPECT_THROW(append(out, {.data = "x", .event = {}, .id = "1\n"}), std::invalid_argument);
    EXPECT_THROW(append(out, {.data = "x", .event = {}, .id = std::string("1\0", 2)}), std::invalid_argument);
    EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace rondo::http
