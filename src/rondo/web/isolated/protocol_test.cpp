// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/protocol.hpp>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/web/isolated/fd_passing.hpp>

namespace rondo::detail {
namespace {

TEST(ComputeFrames, arrive_in_any_pieces) {
    std::string sent;
    append_frame(sent, frame_kind::started, {});
    append_frame(sent, frame_kind::bytes, "hello");
    append_frame(sent, frame_kind::end, {});
    std::string parsed;
    std::string received;
    for (const char c : sent) {
        received += c;
        std::size_t size = 0;
        const auto f = parse_frame(received, size);
        if (!f) continue;
        parsed += std::to_string(static_cast<int>(f->kind)) + ":" + std::string(f->payload) + " ";
        received.erase(0, size);
    }
    EXPECT_EQ(parsed, "0: 2:hello 4: ");
    EXPECT_TRUE(received.empty());
}

TEST(ComputeFrames, rejects_malformed_frames) {
    std::size_t size = 0;
    EXPECT_THROW((void)parse_frame(std::string("\x09\0\0\0\0", 5), size), std::runtime_error);
    EXPECT_THROW((void)parse_frame("\x01\xff\xff\xff\xff", size), std::runtime_error);
    EXPECT_THROW((void)parse_head_payload("no"), std::runtime_error);
    EXPECT_THROW((void)parse_file_payload("short"), std::runtime_error);
    EXPECT_THROW((void)parse_failure_payload("x"), std::runtime_error);
    EXPECT_THROW((void)parse_job(std::string(sizeof(job_header), '\x7f')), std::runtime_error);
}

std::string head_with_field(http::status code, const char* name) {
    http::fields fields;
    if (name) fields.add(name, "1");
    return head_payload({code, "a/b", &fields, false}, 1);
}

// A compute process runs code of the application, so its replies are not trusted.
TEST(ComputeFrames, rejects_fields_and_statuses_reserved_for_the_server) {
    EXPECT_NO_THROW((void)parse_head_payload(head_with_field(http::status::ok, "X-Own")));
    for (const char* name :
         {"Content-Length", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Date"})
        EXPECT_THROW((void)parse_head_payload(head_with_field(http::status::ok, name)), std::runtime_error) << name;
    for (const int code : {0, 100, 199, 600, 999, 65535})
        EXPECT_THROW((void)parse_head_payload(head_with_field(static_cast<http::status>(code), nullptr)),
                     std::runtime_error)
            << code;
    for (const int code : {200, 302, 600})
        EXPECT_THROW((void)parse_failure_payload(failure_payload({static_cast<http::status>(code), "x", {}})),
                     std::runtime_error)
            << code;
    EXPECT_THROW((void)parse_failure_payload(failure_payload({http::status::bad_gateway, "x", {}}) + "more"),
                 std::runtime_error);
    EXPECT_THROW(
        (void)parse_failure_payload(failure_payload({http::status::bad_gateway, "x", std::chrono::seconds(-5)})),
        std::runtime_error);
    EXPECT_THROW((void)parse_file_payload(file_payload({1ULL << 62, 1ULL << 62})), std::runtime_error);
    EXPECT_THROW((void)parse_file_payload(file_payload({UINT64_MAX, 2})), std::runtime_error);
}

std::string head_with_type(std::string_view type, std::initializer_list<const char*> extra = {}) {
    http::fields fields;
    for (const char* name : extra) fields.add(name, "c/d");
    return head_payload({http::status::ok, type, &fields, false}, 1);
}

TEST(ComputeFrames, rejects_more_than_one_content_type) {
    EXPECT_EQ(parse_head_payload(head_with_type("a/b")).content_type, "a/b");
    EXPECT_EQ(parse_head_payload(head_with_type("", {"Content-Type"})).fields.find("Content-Type"), "c/d");
    EXPECT_THROW((void)parse_head_payload(head_with_type("a/b\r\nX: 1")), malformed_reply);
    EXPECT_THROW((void)parse_head_payload(head_with_type("a/b", {"Content-Type"})), malformed_reply);
    EXPECT_THROW((void)parse_head_payload(head_with_type("", {"Content-Type", "content-type"})), malformed_reply);
}

TEST(ComputeFrames, rejects_invalid_fields) {
    const auto with = [](std::string_view name, std::string_view value) {
        std::string payload = head_with_type("");
        for (const std::string_view text : {name, value}) {
            const auto size = static_cast<std::uint32_t>(text.size());
            payload.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
        }
        return payload;
    };
    EXPECT_NO_THROW((void)parse_head_payload(with("X-A", "b")));
    EXPECT_THROW((void)parse_head_payload(with("a b", "x")), malformed_reply);
    EXPECT_THROW((void)parse_head_payload(with("a", "x\r\ny: z")), malformed_reply);
    std::string close = head_with_type("");
    close[2] = 2;
    EXPECT_THROW((void)parse_head_payload(close), malformed_reply);
}

TEST(ComputeFrames, rejects_empty_frames) {
    for (const auto& [kind, payload] : {std::pair(frame_kind::bytes, ""),
                                        {frame_kind::head, ""},
                                        {frame_kind::failed, ""},
                                        {frame_kind::file, "short"},
                                        {frame_kind::end, "x"},
                                        {frame_kind::started, "x"}}) {
        std::string sent;
        append_frame(sent, kind, payload);
        std::size_t size = 0;
        EXPECT_THROW((void)parse_frame(sent, size), std::runtime_error) << static_cast<int>(kind);
    }
}

TEST(ComputeSockets, receive_one_descriptor_at_a_time) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const unique_fd from(ends[0]);
    const unique_fd to(ends[1]);
    const auto open_files = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
    const auto before = open_files();
    for (const std::size_t count : {1U, 2U, 3U, 20U}) {
        std::vector<int> files(count, from.value());
        std::vector<char> space(CMSG_SPACE(count * sizeof(int)));
        char byte = 'x';
        iovec part{&byte, 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
        cmsghdr* const c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(c), files.data(), count * sizeof(int));
        ASSERT_EQ(::sendmsg(from.value(), &message, MSG_NOSIGNAL), 1);
        unique_fd file;
        char received = 0;
        const ssize_t n = receive_with_fd(to.value(), &received, 1, file);
        EXPECT_EQ(n, count == 1 ? 1 : -1) << count;
        EXPECT_EQ(static_cast<bool>(file), count == 1) << count;
        file.reset();
        EXPECT_EQ(open_files(), before) << count;
    }
}

// The buffer is not cleared for each call: a frame that arrives byte by byte would cost 64 KiB of zeros per byte.
TEST(ComputeSockets, write_only_the_received_bytes) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const unique_fd from(ends[0]);
    const unique_fd to(ends[1]);
    constexpr std::size_t room = 64 * 1024;
    std::string received(2 * room, '#');
    received.resize(1);
    ASSERT_EQ(::send(from.value(), "ab", 2, 0), 2);
    unique_fd none;
    ASSERT_EQ(receive_with_fd(to.value(), received, room, none), 2);
    EXPECT_EQ(received, "#ab");
    received.resize_and_overwrite(room, [](char*, std::size_t size) { return size; });
    EXPECT_EQ(received.substr(0, 3), "#ab");
    EXPECT_EQ(received[3], '\0');  // the terminator
    EXPECT_EQ(received.find_first_not_of('#', 4), std::string::npos);
    received.resize(3);
    ::shutdown(from.value(), SHUT_WR);
    EXPECT_EQ(receive_with_fd(to.value(), received, room, none), 0);
    EXPECT_EQ(received, "#ab");
}

TEST(ComputeSockets, recognise_a_sealed_file) {
    const unique_fd sealed = make_memory_file("bytes");
    EXPECT_TRUE(is_sealed(sealed.value(), 5));
    EXPECT_FALSE(is_sealed(sealed.value(), 6));
    EXPECT_NE(::ftruncate(sealed.value(), 0), 0);
    EXPECT_EQ(::write(sealed.value(), "x", 1), -1);
    const unique_fd open(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::write(open.value(), "bytes", 5), 5);
    EXPECT_FALSE(is_sealed(open.value(), 5));
    const unique_fd device(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(is_sealed(device.value(), 5));
}

TEST(ComputeJobs, rejects_impossible_lengths) {
    const auto refused = [](auto change, std::size_t at = 0, char byte = 0) {
        job_header j;
        change(j);
        std::string sent(reinterpret_cast<const char*>(&j), sizeof j);
        if (byte != 0) sent[at] = byte;
        try {
            (void)parse_job(sent);
        } catch (const std::runtime_error&) {
            return true;
        }
        return false;
    };
    EXPECT_FALSE(refused([](job_header&) {}));
    EXPECT_TRUE(refused([](job_header& j) { j.version = 0; }));
    EXPECT_TRUE(refused([](job_header& j) { j.head_size = UINT32_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.id_size = UINT32_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.peer_size = UINT32_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.local_size = UINT32_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.is_unix = 2; }));
    EXPECT_TRUE(refused([](job_header& j) { j.body_size = UINT32_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.body_in_file = true; }));
    EXPECT_TRUE(refused([](job_header& j) { j.file_size = 1; }));
    EXPECT_TRUE(refused([](job_header& j) { j.body_in_file = true, j.file_size = UINT64_MAX; }));
    EXPECT_TRUE(refused([](job_header& j) { j.deadline = INT64_MIN; }));
    // Only 0 and 1 are valid.
    const auto nothing = [](job_header&) {};
    EXPECT_FALSE(refused(nothing, offsetof(job_header, secure), 1));
    EXPECT_TRUE(refused(nothing, offsetof(job_header, secure), 2));
    EXPECT_TRUE(refused([](job_header& j) { j.file_size = 1; }, offsetof(job_header, body_in_file), 2));
}

TEST(ComputeFrames, round_trip_the_head_of_a_response) {
    http::fields fields;
    fields.add("X-Two", "1");
    fields.add("X-Two", "2");
    const handler::response_head head{http::status::accepted, "a/b", &fields, true};
    for (const auto length : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(1ULL << 40)}) {
        const reply_head parsed = parse_head_payload(head_payload(head, length));
        EXPECT_EQ(parsed.code, http::status::accepted);
        EXPECT_EQ(parsed.content_type, "a/b");
        EXPECT_TRUE(parsed.close);
        EXPECT_EQ(parsed.length, length);
        EXPECT_EQ(parsed.fields.size(), 2u);
        EXPECT_EQ(parsed.fields.find("X-Two"), "1");
    }
}

TEST(ComputeFrames, round_trip_files_and_failures) {
    const file_part part = parse_file_payload(file_payload({7, 1ULL << 33}));
    EXPECT_EQ(part.offset, 7u);
    EXPECT_EQ(part.length, 1ULL << 33);
    const reply_failure failed = parse_failure_payload(failure_payload({http::status::not_found, "gone"}));
    EXPECT_EQ(failed.code, http::status::not_found);
    EXPECT_EQ(failed.text, "gone");
    EXPECT_FALSE(failed.retry_after);
    const reply_failure busy =
        parse_failure_payload(failure_payload({http::status::service_unavailable, "", std::chrono::seconds(7)}));
    EXPECT_EQ(busy.retry_after, std::chrono::seconds(7));
}

}  // namespace
}  // namespace rondo::detail
