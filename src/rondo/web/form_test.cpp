// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/form.hpp>

#include <gtest/gtest.h>

#include <rondo/web/app.hpp>
#include <rondo/web/exchange_fixture.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using testing::fake_body;
using testing::test_loop;

constexpr const char* urlencoded = "application/x-www-form-urlencoded";
constexpr const char* multipart = "multipart/form-data; boundary=XX";

std::string part(const std::string& head, const std::string& content) {
    return "--XX\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + content + "\r\n";
}

http::status form_status(const std::string& body, const char* type, const form_limits& limits = {}) {
    try {
        (void)parse_form(body, type, limits);
        return http::status::ok;
    } catch (const http_error& e) {
        return e.code();
    }
}

TEST(Form, reads_urlencoded_pairs) {
    form_data form =
        parse_form("name=J%C3%BCrgen+M&tag=a&tag=b&empty=&flag", "application/x-www-form-urlencoded; charset=utf-8");
    EXPECT_EQ(form.value("name"), "J\xc3\xbcrgen M");
    EXPECT_EQ(form.field("tag"), "a");
    EXPECT_EQ(form.values("tag"), (std::vector<std::string_view>{"a", "b"}));
    EXPECT_EQ(form.field("empty"), "");
    EXPECT_EQ(form.field("flag"), "");
    EXPECT_FALSE(form.field("other"));
    EXPECT_EQ(form.value("other", "default"), "default");
    EXPECT_EQ(form.size(), 5u);
    EXPECT_EQ(form.file("name"), nullptr);
    EXPECT_EQ(parse_form("", urlencoded).size(), 0u);
}

TEST(Form, reads_multipart_fields_and_files) {
    form_data form = parse_form(
        part("name=\"a\"", "1") + part("name=\"f\"; filename=\"x.png\"\r\nContent-Type: image/png", "\x89PNG\r\n--XY") +
            part("name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream", "") +
            part("name=\"a\"", "2") + "--XX--\r\n",
        multipart);
    EXPECT_EQ(form.values("a"), (std::vector<std::string_view>{"1", "2"}));
    ASSERT_EQ(form.files().size(), 1u);
    form_file* file = form.file("f");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->filename, "x.png");
    EXPECT_EQ(file->content_type, "image/png");
    EXPECT_EQ(file->content.text(), "\x89PNG\r\n--XY");
    EXPECT_TRUE(file->content.is_in_memory());
    EXPECT_EQ(form.size(), 3u);
}

TEST(Form, rejects_other_types) {
    EXPECT_EQ(form_status("a=b", "text/plain"), http::status::unsupported_media_type);
    EXPECT_EQ(form_status("a=b", ""), http::status::unsupported_media_type);
    EXPECT_EQ(form_status("a=b", "application/json"), http::status::unsupported_media_type);
    EXPECT_EQ(form_status("a=b", "multipart/mixed; boundary=XX"), http::status::unsupported_media_type);
}

TEST(Form, rejects_malformed_forms) {
    EXPECT_EQ(form_status("", "multipart/form-data"), http::status::bad_request);
    EXPECT_EQ(form_status("", "multipart/form-data; boundary=\"\""), http::status::bad_request);
    EXPECT_EQ(form_status("", multipart), http::status::bad_request);
    EXPECT_EQ(form_status("--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--\r\n", multipart),
              http::status::bad_request);
    EXPECT_EQ(form_status(part("name=\"a\"", "1"), multipart), http::status::bad_request);  // no end boundary
    EXPECT_EQ(form_status("--XX--\r\n", multipart), http::status::ok);
}

TEST(Form, enforces_limits) {
    const form_limits small{.fields = 2, .files = 1, .text_bytes = 12};
    EXPECT_EQ(form_status("a=1&b=2", urlencoded, small), http::status::ok);
    EXPECT_EQ(form_status("a=1&b=2&c=3", urlencoded, small), http::status::content_too_large);
    EXPECT_EQ(form_status("a=12345678901", urlencoded, small), http::status::content_too_large);
    const std::string one = part("name=\"a\"", "1"), file = part("name=\"f\"; filename=\"f\"", "1"), end = "--XX--";
    EXPECT_EQ(form_status(one + one + end, multipart, small), http::status::ok);
    EXPECT_EQ(form_status(one + one + one + end, multipart, small), http::status::content_too_large);
    EXPECT_EQ(form_status(file + one + end, multipart, small), http::status::ok);
    EXPECT_EQ(form_status(file + file + end, multipart, small), http::status::content_too_large);
    EXPECT_EQ(form_status(part("name=\"a\"", "123456789012") + end, multipart, small), http::status::content_too_large);
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += "k=v&";
    EXPECT_EQ(form_status(many, urlencoded), http::status::content_too_large);
}

TEST(Form, writes_a_large_file_to_disk) {
    const std::string large(200'000, 'x');
    form_data form = parse_form(part("name=\"f\"; filename=\"f\"", large) + "--XX--", multipart);
    ASSERT_EQ(form.files().size(), 1u);
    EXPECT_FALSE(form.file("f")->content.is_in_memory());
    EXPECT_EQ(form.file("f")->content.text(), large);
    const testing::temporary_folder dir;
    form.file("f")->content.save_to(dir.path_of("kept"));
    EXPECT_EQ(std::filesystem::file_size(dir.path_of("kept")), large.size());
}

task<form_data> read(fake_body& body, std::string type, form_limits limits) {
    co_return co_await read_form(body, type, limits);
}

TEST(ReadForm, result_does_not_depend_on_the_pieces) {
    test_loop l;
    const std::string body = part("name=\"a\"", "1") + part("name=\"f\"; filename=\"f\"", std::string(50, 'y')) +
                             part("name=\"b\"", "\r\n--X") + part("name=\"g\"; filename=\"g\"", "z") +
                             "--XX--\r\nepilogue";
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
        fake_body in;
        if (cut > 0) in.pieces.push_back(body.substr(0, cut));
        in.pieces.push_back(body.substr(cut));
        form_data form = l.run(read(in, multipart, {.file_threshold = cut % 64}));
        EXPECT_EQ(form.value("a"), "1");
        EXPECT_EQ(form.value("b"), "\r\n--X");
        ASSERT_EQ(form.files().size(), 2u);
        EXPECT_EQ(form.file("f")->content.text(), std::string(50, 'y'));
        EXPECT_EQ(form.file("g")->content.text(), "z");
    }
}

TEST(ReadForm, reads_to_the_end_of_the_body) {
    test_loop l;
    fake_body in;
    in.pieces = {"--XX--\r\n", "epi", "logue"};
    EXPECT_EQ(l.run(read(in, multipart, {})).size(), 0u);
    EXPECT_TRUE(in.is_at_end());
}

TEST(ReadForm, propagates_a_failure_on_the_pool) {
    test_loop l;
    fake_body in;
    in.pieces = {part("name=\"f\"; filename=\"f\"", std::string(100, 'x')), "broken"};
    try {
        (void)l.run(read(in, multipart, {.file_threshold = 10}));
        FAIL();
    } catch (const http_error& e) {
        EXPECT_EQ(e.code(), http::status::bad_request);
    }
}

// Delivers a form in pieces of one byte; counts the reads that are preceded by a job on the pool.
class tiny_pieces final : public handler::body {
public:
    explicit tiny_pieces(std::string text) : text_(std::move(text)) {}

    task<std::string_view> read() override {
        // Without a job on the pool, everything is read in one turn of the loop.
        const std::uint64_t now = event_loop::current().counters().turns.load();
        if (index_ != 0 && now != turns_) ++hops;
        turns_ = now;
        if (index_ == text_.size()) co_return std::string_view();
        co_return std::string_view(text_).substr(index_++, 1);
    }
    std::optional<std::string_view> try_read() override { return std::nullopt; }
    std::optional<std::uint64_t> length() const noexcept override { return std::nullopt; }
    bool is_at_end() const noexcept override { return index_ == text_.size(); }
    void limit(std::uint64_t) noexcept override {}
    std::uint64_t limit() const noexcept override { return UINT64_MAX; }
    const http::fields* trailers() const noexcept override { return nullptr; }

    std::size_t hops = 0;

private:
    std::string text_;
    std::size_t index_ = 0;
    std::uint64_t turns_ = 0;
};

task<form_data> read_tiny(tiny_pieces& body, form_limits limits) {
    co_return co_await read_form(body, multipart, limits);
}

TEST(ReadForm, batches_small_pieces_of_a_file_before_writing_to_disk) {
    test_loop l;
    const std::string content(200'000, 'x');
    tiny_pieces in(part("name=\"f\"; filename=\"f\"", content) + "--XX--");
    form_data form = l.run(read_tiny(in, {.file_threshold = 1000}));
    ASSERT_EQ(form.files().size(), 1u);
    EXPECT_EQ(form.file("f")->content.text(), content);
    EXPECT_LE(in.hops, 4u);
    EXPECT_GT(in.hops, 0u);
}

std::string form_summary(form_data& form) {
    form_file* const file = form.file("f");
    return std::string(form.value("a")) + ' ' + (file ? std::to_string(file->content.text().size()) : "no file");
}

task<response> streamed(request& req) {
    form_data& form = co_await req.form();
    co_return text(form_summary(form));
}

task<response> read_before(request& req) {
    co_await req.read_all();
    form_data& form = co_await req.form();
    form_data& again = co_await req.form();
    co_return text(&form == &again ? form_summary(form) : "two forms");
}

response blocking(request& req) { return text(form_summary(req.form_sync())); }

TEST(Form, is_the_same_in_every_view_kind) {
    app site;
    site.post("/streamed", streamed);
    site.post("/read-before", read_before);
    site.post("/blocking", blocking);
    test_client client(site);
    const std::string body =
        part("name=\"a\"", "value") + part("name=\"f\"; filename=\"f\"", std::string(200'000, 'x'));
    for (const char* path : {"/streamed", "/read-before", "/blocking"}) {
        for (const std::size_t piece : {0, 1000}) {
            const test_response r = client.send({.method = "POST",
                                                 .target = path,
                                                 .fields = {{"Content-Type", multipart}},
                                                 .body = body + "--XX--\r\n",
                                                 .chunk_size = piece});
            EXPECT_EQ(r.status, 200);
            EXPECT_EQ(r.body, "value 200000") << path;
        }
        EXPECT_EQ(client.post(path, "a=b", {{"Content-Type", urlencoded}}).body, "b no file");
        EXPECT_EQ(client.post(path, "{}", {{"Content-Type", "application/json"}}).status, 415);
        EXPECT_EQ(client.post(path, body, {{"Content-Type", multipart}}).status, 400);
    }
}

}  // namespace
}  // namespace rondo
