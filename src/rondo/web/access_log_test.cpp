// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/access_log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include <rondo/codec/json.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using testing::HasSubstr;

constexpr std::int64_t noon = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

class lines final : public access_log_sink {
public:
    void write(const access_entry& entry) noexcept override {
        codes.push_back(http::to_int(entry.code));
        bytes.push_back(entry.body_bytes);
        aborted.push_back(entry.aborted);
        append_combined(combined, entry, noon);
        append_json_line(json, entry, noon);
    }
    std::vector<int> codes;
    std::vector<std::uint64_t> bytes;
    std::vector<bool> aborted;
    std::string combined;
    std::string json;
};

class failing_body final : public body_source {
public:
    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        to.begin(head, std::nullopt);
        co_await to.write("first");
        throw std::runtime_error("broken");
    }
};

void fill(app& a) {
    a.get("/x/<int:n>", [](request&, int) { return text("twelve bytes"); });
    a.get("/raise", [](request&) -> response { throw std::runtime_error("x"); });
    a.get("/mid", [](request&) { return with_source(std::make_unique<failing_body>(), "text/plain"); });
}

TEST(AccessLog, EveryResponseIsTold) {
    lines log;
    app a;
    fill(a);
    a.access_log(&log);
    test_client client(a);
    (void)client.get("/x/1");
    (void)client.get("/none");
    (void)client.get("/raise");
    (void)client.get("/mid");
    EXPECT_EQ(log.codes, (std::vector<int>{200, 404, 500, 200}));
    EXPECT_EQ(log.aborted, (std::vector<bool>{false, false, false, true}));
    EXPECT_EQ(log.bytes[0], 12U);
    EXPECT_EQ(log.bytes[3], 5U);
}

TEST(AccessLog, Combined) {
    lines log;
    app a;
    fill(a);
    a.access_log(&log);
    test_client client(a);
    (void)client.get("/x/1?a=b", {{"User-Agent", "curl/8 \"q\" \\ \xc3\xa9\t"}, {"Referer", "http://r/"}});
    EXPECT_EQ(log.combined,
              "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /x/1?a=b HTTP/1.1\" 200 12 \"http://r/\" "
              "\"curl/8 \\\"q\\\" \\\\ \\xc3\\xa9\"\n");
}

TEST(AccessLog, JsonLines) {
    lines log;
    app a;
    fill(a);
    a.access_log(&log);
    test_client client(a);
    (void)client.get("/x/1", {{"User-Agent", "a\"b\xff"}});
    ASSERT_EQ(log.json.back(), '\n');
    const auto line = codec::parse_json(log.json);
    ASSERT_TRUE(line);
    EXPECT_EQ((*line)["time"], "2023-11-14T22:13:20Z");
    EXPECT_EQ((*line)["id"].as_string().size(), 32U);
    EXPECT_EQ((*line)["peer"], "127.0.0.1");
    EXPECT_EQ((*line)["route"], "/x/<int:n>");
    EXPECT_EQ((*line)["status"].as_integer(), 200);
    EXPECT_EQ((*line)["bytes"].as_integer(), 12);
    EXPECT_GE((*line)["ms"].as_number(), 0.0);
    EXPECT_FALSE((*line)["aborted"].as_bool());
    EXPECT_THAT((*line)["agent"].as_string(), HasSubstr("a\"b"));
}

}  // namespace
}  // namespace rondo
