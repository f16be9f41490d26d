// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/file.hpp>

#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <rondo/http/date.hpp>
#include <rondo/http/range.hpp>
#include <rondo/web/exchange_fixture.hpp>

namespace rondo {
namespace {

using testing::exchange;
using testing::test_loop;

constexpr std::int64_t sunday = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

std::string digits(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('0' + i % 10);
    return text;
}

class FileView : public ::testing::Test {
protected:
    FileView() {
        dir_.write_file("small.txt", digits(1000));
        dir_.write_file("large.bin", digits(100'000));
        dir_.write_file("empty.css", "");
        for (const char* name : {"small.txt", "large.bin", "empty.css"}) set_modified(name, sunday);
    }
    void set_modified(const char* name, std::int64_t seconds) const {
        const timespec times[2] = {{seconds, 0}, {seconds, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, dir_.path_of(name).c_str(), times, 0), 0);
    }
    void get(exchange& x, const char* name) { loop_.run(respond(x, dir_.path_of(name))); }
    static task<void> respond(exchange& x, std::string path) { co_await x.send(co_await file(std::move(path))); }
    std::string etag_of(const char* name) {
        exchange x("/");
        get(x, name);
        return std::string(x.to.field("ETag"));
    }

    testing::temporary_folder dir_;
    test_loop loop_;
};

TEST_F(FileView, sends_a_small_file_from_memory) {
    exchange x("/");
    get(x, "small.txt");
    EXPECT_EQ(x.to.status, http::status::ok);
    EXPECT_EQ(x.to.body, digits(1000));
    EXPECT_EQ(x.to.type, "text/plain; charset=utf-8");
    EXPECT_EQ(x.to.field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(x.to.field("Accept-Ranges"), "bytes");
    EXPECT_TRUE(x.to.field("ETag").starts_with('"'));
    EXPECT_EQ(x.to.file_writes, 0);
    EXPECT_TRUE(x.to.finished);
}

TEST_F(FileView, sends_a_large_file_from_the_descriptor) {
    exchange x("/");
    get(x, "large.bin");
    EXPECT_EQ(x.to.status, http::status::ok);
    EXPECT_EQ(x.to.length, 100'000u);
    EXPECT_EQ(x.to.body, digits(100'000));
    EXPECT_EQ(x.to.file_writes, 1);
    EXPECT_TRUE(x.to.finished);
}

TEST_F(FileView, sends_an_empty_file) {
    exchange x("/");
    get(x, "empty.css");
    EXPECT_EQ(x.to.status, http::status::ok);
    EXPECT_EQ(x.to.length, 0u);
    EXPECT_EQ(x.to.type, "text/css; charset=utf-8");
}

TEST_F(FileView, head_has_the_length_and_no_body) {
    for (const char* name : {"small.txt", "large.bin"}) {
        exchange x("/", {{"Range", "bytes=0-4"}}, "HEAD");
        get(x, name);
        EXPECT_EQ(x.to.status, http::status::ok);
        EXPECT_EQ(x.to.length, std::filesystem::file_size(dir_.path_of(name)));
        EXPECT_EQ(x.to.body, "");
        EXPECT_EQ(x.to.file_writes, 0);
        EXPECT_TRUE(x.to.finished);
    }
}

TEST_F(FileView, is_404_for_a_missing_file) {
    for (const std::string& path : {dir_.path_of("nothing"), dir_.path.string(), dir_.path_of("small.txt/x")}) {
        try {
            (void)loop_.run(file(path));
            FAIL() << path;
        } catch (const http_error& e) {
            EXPECT_EQ(e.code(), http::status::not_found);
        }
    }
}

TEST_F(FileView, file_sync_sends_the_same) {
    exchange x("/");
    loop_.run(x.send(file_sync(dir_.path_of("small.txt"))));
    EXPECT_EQ(x.to.body, digits(1000));
}

struct precondition_case {
    const char* name;
    const char* value;  // "@" is the file's own ETag
    http::status expected;
};

TEST_F(FileView, answers_conditional_requests) {
    const std::string etag = etag_of("small.txt");
    const precondition_case table[] = {
        {"If-None-Match", "@", http::status::not_modified},
        {"If-None-Match", "W/@", http::status::not_modified},
        {"If-None-Match", "\"a\", @", http::status::not_modified},
        {"If-None-Match", "*", http::status::not_modified},
        {"If-None-Match", "\"other\"", http::status::ok},
        {"If-Match", "@", http::status::ok},
        {"If-Match", "*", http::status::ok},
        {"If-Match", "W/@", http::status::precondition_failed},
        {"If-Match", "\"other\"", http::status::precondition_failed},
        {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", http::status::not_modified},
        {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", http::status::ok},
        {"If-Modified-Since", "yesterday", http::status::ok},
        {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", http::status::ok},
        {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT", http::status::precondition_failed},
    };
    for (const precondition_case& c : table) {
        std::string value = c.value;
        if (const auto at = value.find('@'); at != value.npos) value.replace(at, 1, etag);
        for (const char* method : {"GET", "HEAD"}) {
            exchange x("/", {{c.name, value}}, method);
            get(x, "small.txt");
            EXPECT_EQ(x.to.status, c.expected) << c.name << ": " << value;
            EXPECT_TRUE(x.to.finished);
            EXPECT_EQ(x.to.field("ETag"), etag);
            if (c.expected != http::status::ok) {
                EXPECT_EQ(x.to.body, "");
                EXPECT_EQ(x.to.type, "");
            }
        }
    }
}

TEST_F(FileView, a_changed_file_has_a_new_etag) {
    const std::string before = etag_of("small.txt");
    set_modified("small.txt", sunday + 1);
    EXPECT_NE(etag_of("small.txt"), before);
}

TEST_F(FileView, does_not_send_a_future_date) {
    set_modified("small.txt", 4'000'000'000);
    exchange x("/");
    get(x, "small.txt");
    const auto modified = http::parse_date(x.to.field("Last-Modified"), std::time(nullptr));
    ASSERT_TRUE(modified);
    EXPECT_LE(*modified, std::time(nullptr));
}

struct range_case {
    const char* range;
    std::size_t first, last;
};

TEST_F(FileView, sends_one_range) {
    const range_case table[] = {{"bytes=0-4", 0, 4},      {"bytes=-5", 995, 999},  {"bytes=995-5000", 995, 999},
                                {"bytes=999-", 999, 999}, {"bytes=0-999", 0, 999}, {"bytes=-5000", 0, 999}};
    for (const range_case& c : table) {
        exchange x("/", {{"Range", c.range}});
        get(x, "small.txt");
        EXPECT_EQ(x.to.status, http::status::partial_content) << c.range;
        EXPECT_EQ(x.to.body, digits(1000).substr(c.first, c.last - c.first + 1));
        EXPECT_EQ(x.to.length, c.last - c.first + 1);
        EXPECT_EQ(x.to.field("Content-Range"), http::content_range({c.first, c.last}, 1000));
        EXPECT_EQ(x.to.type, "text/plain; charset=utf-8");
        EXPECT_TRUE(x.to.finished);
    }
}

TEST_F(FileView, sends_a_range_of_a_large_file) {
    exchange x("/", {{"Range", "bytes=90001-90020"}});
    get(x, "large.bin");
    EXPECT_EQ(x.to.status, http::status::partial_content);
    EXPECT_EQ(x.to.body, digits(100'000).substr(90'001, 20));
    EXPECT_EQ(x.to.file_writes, 1);
}

TEST_F(FileView, sends_several_ranges_as_multipart) {
    for (const char* name : {"small.txt", "large.bin"}) {
        exchange x("/", {{"Range", "bytes=0-1,10-12"}});
        get(x, name);
        EXPECT_EQ(x.to.status, http::status::partial_content);
        const std::string type =
            std::string(name) == "small.txt" ? "text/plain; charset=utf-8" : "application/octet-stream";
        const std::string size = std::to_string(std::filesystem::file_size(dir_.path_of(name)));
        ASSERT_TRUE(x.to.type.starts_with("multipart/byteranges; boundary=")) << x.to.type;
        const std::string boundary = x.to.type.substr(x.to.type.find('=') + 1);
        EXPECT_GE(boundary.size(), 16u);
        EXPECT_EQ(x.to.body, fmt::format("--{0}\r\nContent-Type: {1}\r\nContent-Range: bytes 0-1/{2}\r\n\r\n01\r\n"
                                         "--{0}\r\nContent-Type: {1}\r\nContent-Range: bytes 10-12/{2}\r\n\r\n012\r\n"
                                         "--{0}--\r\n",
                                         boundary, type, size));
        EXPECT_EQ(x.to.length, x.to.body.size());
        EXPECT_EQ(x.to.field("Content-Range"), "(none)");
        EXPECT_TRUE(x.to.finished);
    }
}

TEST_F(FileView, ignores_bad_ranges) {
    for (const char* range : {"bytes=5-2", "bytes=a-b", "bytes", "bytes=", "bytes=--5", "items=0-5"}) {
        exchange x("/", {{"Range", range}});
        get(x, "small.txt");
        EXPECT_EQ(x.to.status, http::status::ok) << range;
        EXPECT_EQ(x.to.body.size(), 1000u);
    }
    exchange twice("/", {{"Range", "bytes=0-1"}, {"Range", "bytes=2-3"}});
    get(twice, "small.txt");
    EXPECT_EQ(twice.to.status, http::status::ok);
}

TEST_F(FileView, ignores_an_excessive_number_of_ranges) {
    std::string range = "bytes=";
    for (int i = 0; i < 1000; ++i) range += "0-,";
    range += "0-";
    exchange x("/", {{"Range", range}});
    get(x, "large.bin");
    EXPECT_EQ(x.to.status, http::status::ok);
    EXPECT_EQ(x.to.body.size(), 100'000u);
}

TEST_F(FileView, a_range_beyond_the_end_is_416) {
    exchange x("/", {{"Range", "bytes=1000-"}});
    get(x, "small.txt");
    EXPECT_EQ(x.to.status, http::status::range_not_satisfiable);
    EXPECT_EQ(x.to.field("Content-Range"), "bytes */1000");
    EXPECT_EQ(x.to.body, "");
}

TEST_F(FileView, honours_if_range) {
    const std::string etag = etag_of("small.txt");
    const std::pair<std::string, http::status> table[] = {
        {etag, http::status::partial_content},
        {"W/" + etag, http::status::ok},
        {"\"other\"", http::status::ok},
        {"Sun, 06 Nov 1994 08:49:37 GMT", http::status::partial_content},
        {"Sun, 06 Nov 1994 08:49:38 GMT", http::status::ok}};
    for (const auto& [value, expected] : table) {
        exchange x("/", {{"Range", "bytes=0-4"}, {"If-Range", value}});
        get(x, "small.txt");
        EXPECT_EQ(x.to.status, expected) << value;
    }
}

TEST_F(FileView, sends_the_whole_file_for_another_status_or_method) {
    exchange page("/", {{"Range", "bytes=0-4"}, {"If-None-Match", "*"}});
    loop_.run(page.send(file_sync(dir_.path_of("small.txt")).status(404)));
    EXPECT_EQ(page.to.status, http::status::not_found);
    EXPECT_EQ(page.to.body.size(), 1000u);

    exchange post("/", {{"Range", "bytes=0-4"}, {"If-None-Match", "*"}}, "POST");
    get(post, "small.txt");
    EXPECT_EQ(post.to.status, http::status::ok);
    EXPECT_EQ(post.to.body.size(), 1000u);
}

TEST_F(FileView, fields_of_the_view_take_precedence) {
    exchange x("/", {{"If-None-Match", "\"mine\""}});
    loop_.run(x.send(file_sync(dir_.path_of("small.txt")).field("ETag", "\"mine\"").field("X-A", "b")));
    EXPECT_EQ(x.to.status, http::status::not_modified);
    EXPECT_EQ(x.to.field("X-A"), "b");
}

TEST_F(FileView, attachment_sets_the_filename) {
    const auto disposition = [&](std::string_view name) {
        const response r = attachment(file_sync(dir_.path_of("small.txt")), name);
        return std::string(r.fields().find("Content-Disposition").value_or(""));
    };
    EXPECT_EQ(disposition("report.pdf"), "attachment; filename=\"report.pdf\"");
    EXPECT_EQ(disposition("a\"b\\c.txt"), "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b_c.txt");
    EXPECT_EQ(disposition("../x\r\ny"), "attachment; filename=\".._x__y\"");
    EXPECT_EQ(disposition("\xc3\xa4.txt"), "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%A4.txt");
}

}  // namespace
}  // namespace rondo
