// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/access_format.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <rondo/codec/json.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t fixed_time = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

class recording_sink final : public access_log_sink {
public:
    explicit recording_sink(std::string_view format = "combined") : format_(format, "worker 1") {}
    void write(const access_entry& entry) noexcept override {
        codes.push_back(http::to_int(entry.code));
        bytes.push_back(entry.body_bytes);
        aborted.push_back(entry.aborted);
        format_.append(text, entry, fixed_time);
    }
    [[nodiscard]] bool needs_response_fields() const noexcept override { return format_.needs_response_fields(); }
    std::vector<int> codes;
    std::vector<std::uint64_t> bytes;
    std::vector<bool> aborted;
    std::string text;

private:
    access_format format_;
};

class failing_body final : public body_source {
public:
    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        to.start(head, std::nullopt);
        co_await to.write("first");
        throw std::runtime_error("broken");
    }
};

void add_views(app& a) {
    a.get("/x/<int:n>", [](request&, int) { return text("twelve bytes"); });
    a.get("/fields", [](request&) { return text("abc").field("X-Out", "o\xc3\xa9").field("X-Other", "p"); });
    a.get("/raise", [](request&) -> response { throw std::runtime_error("x"); });
    a.get("/mid", [](request&) { return with_source(std::make_unique<failing_body>(), "text/plain"); });
}

TEST(AccessLog, contains_every_response) {
    recording_sink log;
    app a;
    add_views(a);
    a.set_access_log(&log);
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

TEST(AccessLog, writes_the_combined_format) {
    recording_sink log;
    app a;
    add_views(a);
    a.set_access_log(&log);
    test_client client(a);
    (void)client.get("/x/1?a=b", {{"User-Agent", "curl/8 \"q\" \\ \xc3\xa9\t"}, {"Referer", "http://r/"}});
    EXPECT_EQ(log.text,
              "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /x/1?a=b HTTP/1.1\" 200 12 \"http://r/\" "
              "\"curl/8 \\\"q\\\" \\\\ \\xc3\\xa9\"\n");
}

TEST(AccessLog, writes_json_lines) {
    recording_sink log("json");
    app a;
    add_views(a);
    a.set_access_log(&log);
    test_client client(a);
    (void)client.get("/x/1", {{"User-Agent", "a\"b\xff"}});
    ASSERT_EQ(log.text.back(), '\n');
    const auto line = codec::parse_json(log.text);
    ASSERT_TRUE(line);
    EXPECT_EQ((*line)["time"], "2023-11-14T22:13:20Z");
    EXPECT_EQ((*line)["id"].as_string().size(), 32U);
    EXPECT_EQ((*line)["peer"], "127.0.0.1");
    EXPECT_EQ((*line)["route"], "/x/<int:n>");
    EXPECT_EQ((*line)["status"].as_integer(), 200);
    EXPECT_EQ((*line)["bytes"].as_integer(), 12);
    EXPECT_GE((*line)["ms"].as_number(), 0.0);
    EXPECT_FALSE((*line)["aborted"].as_bool());
    EXPECT_EQ((*line)["scheme"], "http");
    EXPECT_EQ((*line)["worker"], "worker 1");
    EXPECT_EQ((*line)["pid"].as_integer(), getpid());
    EXPECT_THAT((*line)["agent"].as_string(), HasSubstr("a\"b"));
}

std::string line_of(std::string_view format, const std::string& target, const test_fields& fields = {}) {
    recording_sink log(format);
    app a;
    add_views(a);
    a.set_access_log(&log);
    test_client client(a);
    (void)client.get(target, fields);
    return log.text;
}

TEST(AccessFormat, writes_each_atom) {
    const test_fields fields{
        {"User-Agent", "me"}, {"Referer", "r"}, {"X-In", "i\"n"}, {"Authorization", "Basic am9lOnB3"}};
    for (const auto& [atom, text] :
         std::vector<std::pair<std::string, std::string>>{{"h", "127.0.0.1"},
                                                          {"l", "-"},
                                                          {"u", "joe"},
                                                          {"t", "[14/Nov/2023:22:13:20 +0000]"},
                                                          {"r", "GET /x/1?a=b HTTP/1.1"},
                                                          {"m", "GET"},
                                                          {"U", "/x/1"},
                                                          {"q", "a=b"},
                                                          {"H", "HTTP/1.1"},
                                                          {"s", "200"},
                                                          {"b", "12"},
                                                          {"B", "12"},
                                                          {"f", "r"},
                                                          {"a", "me"},
                                                          {"T", "0"},
                                                          {"p", "<" + std::to_string(getpid()) + ">"},
                                                          {"{x-in}i", "i\\\"n"},
                                                          {"{X-No}i", "-"},
                                                          {"{NO_SUCH_VARIABLE}e", "-"},
                                                          {"route", "/x/<int:n>"},
                                                          {"scheme", "http"},
                                                          {"worker", "worker 1"}})
        EXPECT_EQ(line_of("%(" + atom + ")s", "/x/1?a=b", fields), text + "\n") << atom;
    EXPECT_THAT(line_of("%(id)s", "/x/1"), ::testing::MatchesRegex("[0-9a-f]{32}\n"));
    EXPECT_THAT(line_of("%(L)s %(D)s %(M)s", "/x/1"), ::testing::MatchesRegex("0\\.[0-9]{6} [0-9]+ [0-9]+\n"));
    EXPECT_EQ(line_of("100%% of %(m)s, 7%%", "/x/1"), "100% of GET, 7%\n");
    EXPECT_EQ(line_of("%(b)s", "/none").back(), '\n');
}

TEST(AccessFormat, writes_response_fields) {
    EXPECT_EQ(line_of("%({x-out}o)s %({X-Other}o)s %({content-type}o)s %({x-no}o)s", "/fields"),
              "o\\xc3\\xa9 p text/plain; charset=utf-8 -\n");
    EXPECT_EQ(line_of("%({Content-Type}o)s %(s)s", "/raise"), "text/plain; charset=utf-8 500\n");
}

TEST(AccessFormat, escapes_client_data) {
    const std::string line = line_of("%(a)s|%({x}i)s|%(u)s", "/x/1",
                                     {{"User-Agent", "a\"b\\\t\x80"}, {"x", "\xff"}, {"Authorization", "Basic YQpi"}});
    EXPECT_EQ(line, "a\\\"b\\\\\\x09\\x80|\\xff|a\\x0ab\n");
}

TEST(AccessFormat, rejects_an_invalid_format) {
    for (const char* bad :
         {"", "combine", "%(z)s", "%(h)", "%h", "100%", "%({}i)s", "%({x}z)s", "%({x)s", "%(h)s\n%(m)s", "xml"}) {
        try {
            (void)access_format(bad);
            ADD_FAILURE() << bad;
        } catch (const std::invalid_argument& e) {
            EXPECT_THAT(e.what(), HasSubstr("%({NAME}i)s")) << bad;
        }
    }
}

}  // namespace
}  // namespace rondo
