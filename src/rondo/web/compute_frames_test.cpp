// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/compute_frames.hpp>

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace rondo::detail {
namespace {

TEST(compute_frames, come_in_any_pieces) {
    std::string sent;
    append_frame(sent, frame_kind::begun, {});
    append_frame(sent, frame_kind::bytes, "hello");
    append_frame(sent, frame_kind::end, {});
    std::string seen;
    std::string received;
    for (const char c : sent) {
        received += c;
        std::size_t size = 0;
        const auto f = first_frame(received, size);
        if (!f) continue;
        seen += std::to_string(static_cast<int>(f->kind)) + ":" + std::string(f->payload) + " ";
        received.erase(0, size);
    }
    EXPECT_EQ(seen, "0: 2:hello 4: ");
    EXPECT_TRUE(received.empty());
}

TEST(compute_frames, refuse_what_is_none) {
    std::size_t size = 0;
    EXPECT_THROW((void)first_frame(std::string("\x09\0\0\0\0", 5), size), std::runtime_error);
    EXPECT_THROW((void)first_frame("\x01\xff\xff\xff\xff", size), std::runtime_error);
    EXPECT_THROW((void)parse_head_payload("no"), std::runtime_error);
    EXPECT_THROW((void)parse_file_payload("short"), std::runtime_error);
    EXPECT_THROW((void)parse_failure_payload("x"), std::runtime_error);
    EXPECT_THROW((void)parse_job(std::string(sizeof(job_head), '\x7f')), std::runtime_error);
}

TEST(compute_frames, keep_the_head_of_a_response) {
    http::fields fields;
    fields.add("X-Two", "1");
    fields.add("X-Two", "2");
    const handler::response_head head{http::status::accepted, "a/b", &fields, true};
    for (const auto length : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(1ULL << 40)}) {
        const answer_head got = parse_head_payload(head_payload(head, length));
        EXPECT_EQ(got.code, http::status::accepted);
        EXPECT_EQ(got.content_type, "a/b");
        EXPECT_TRUE(got.close);
        EXPECT_EQ(got.length, length);
        EXPECT_EQ(got.fields.size(), 2u);
        EXPECT_EQ(got.fields.find("X-Two"), "1");
    }
}

TEST(compute_frames, keep_files_and_failures) {
    const file_part part = parse_file_payload(file_payload({7, 1ULL << 33}));
    EXPECT_EQ(part.offset, 7u);
    EXPECT_EQ(part.length, 1ULL << 33);
    const answer_failure_text failed = parse_failure_payload(failure_payload({http::status::not_found, "gone"}));
    EXPECT_EQ(failed.code, http::status::not_found);
    EXPECT_EQ(failed.text, "gone");
    EXPECT_FALSE(failed.retry_after);
    const answer_failure_text busy =
        parse_failure_payload(failure_payload({http::status::service_unavailable, "", std::chrono::seconds(7)}));
    EXPECT_EQ(busy.retry_after, std::chrono::seconds(7));
}

}  // namespace
}  // namespace rondo::detail
