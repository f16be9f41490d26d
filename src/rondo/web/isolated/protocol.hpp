// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <rondo/handler/responder.hpp>
#include <rondo/web/request.hpp>

/// What goes between a process that serves HTTP and a compute process: one job per connection, both on this machine and
/// of one program. There goes one job_head with what it announces; back come frames.
namespace rondo::detail {

/// Changes with every change of what is sent.
inline constexpr std::uint32_t compute_layout = 3;

/// A body up to this size follows the head; a larger one is a file in memory whose descriptor comes with the first
/// byte.
inline constexpr std::size_t inline_body = 64 * 1024;

struct job_head {
    std::uint32_t layout = compute_layout;
    std::uint32_t head = 0;  ///< bytes of the request's head, as HTTP/1
    std::uint32_t id = 0;    ///< of the request's id
    std::uint32_t peer = 0;  ///< of the client's address
    std::uint32_t body = 0;  ///< of a body that follows
    std::uint16_t port = 0;  ///< the client's
    // Not bool: that has no other values, and these come over a socket.
    std::uint8_t secure = 0;    ///< 1: over TLS
    std::uint8_t file = 0;      ///< 1: the body is in a file
    std::int64_t deadline = 0;  ///< of the request, in ticks of the clock
    std::uint64_t file_size = 0;
};

/// The request as it is sent; without a body that is in a file.
[[nodiscard]] std::string job_message(request& req, std::string_view body);

/// A job_head and the texts that follow it.
struct job_parts {
    job_head lengths;
    std::string_view head;
    std::string_view id;
    std::string_view peer;
    std::string_view body;
};
/// Nothing when more is needed. Throws std::runtime_error for what is no job.
[[nodiscard]] std::optional<job_parts> parse_job(std::string_view received);

/// What came back is not an answer. `what()` says of the process what it did.
class invalid_answer : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr const char* took_too_long = "the computation took too long";

enum class frame_kind : std::uint8_t {
    begun,     ///< the view is about to be called
    head,      ///< of the response: see answer_head
    bytes,     ///< of its body
    file,      ///< of its body, in a file whose descriptor comes along: an offset and a length, of eight bytes each
    end,       ///< of the response: nothing is missing
    failed,    ///< instead of a head: see answer_failure_text
    not_here,  ///< instead of anything else: the process is of another image of the program and has no such view
};

struct frame {
    frame_kind kind;
    std::string_view payload;
};

inline constexpr std::size_t frame_header_size = 5;
inline constexpr std::size_t largest_frame = 1 << 20;

void append_frame(std::string& to, frame_kind kind, std::string_view payload);
/// The first frame of what was received, with its size in `size`; nothing when more is needed. Throws invalid_answer
/// for what is no frame.
[[nodiscard]] std::optional<frame> first_frame(std::string_view received, std::size_t& size);

/// The head of a response, as it was sent.
struct answer_head {
    http::status code{};
    bool close = false;
    std::optional<std::uint64_t> length;
    std::string content_type;
    http::fields fields;
};

/// Where in its file a part of a body is.
struct file_part {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};
[[nodiscard]] std::string file_payload(file_part part);
/// Throws invalid_answer for what is none; so does parse_failure_payload().
[[nodiscard]] file_part parse_file_payload(std::string_view payload);

/// Why there is no response.
struct answer_failure_text {
    http::status code{};
    std::string text{};
    std::optional<std::chrono::seconds> retry_after{};
};
[[nodiscard]] std::string failure_payload(const answer_failure_text& why);
[[nodiscard]] answer_failure_text parse_failure_payload(std::string_view payload);

[[nodiscard]] std::string head_payload(const handler::response_head& head, std::optional<std::uint64_t> length);
/// Throws invalid_answer for what is no head, and for one with two types of its body.
[[nodiscard]] answer_head parse_head_payload(std::string_view payload);

}  // namespace rondo::detail
