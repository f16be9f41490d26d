// SPDX-License-Identifier: Apache-2.0
// The protocol between worker and compute processes.
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

/// One job per connection. Both processes run the same program on the same machine. The worker sends a job_header and
/// the data that it announces; the compute process replies with frames.
namespace rondo::detail {

/// The version of the protocol, incremented with every change.
inline constexpr std::uint32_t compute_protocol_version = 4;

/// A body up to this size follows the header; a larger one is a memory file whose descriptor is sent with the first
/// byte.
inline constexpr std::size_t max_inline_body = 64 * 1024;

struct job_header {
    std::uint32_t version = compute_protocol_version;
    std::uint32_t head_size = 0;   ///< bytes of the request's head, as HTTP/1
    std::uint32_t id_size = 0;     ///< bytes of the request's id
    std::uint32_t peer_size = 0;   ///< bytes of the client's address
    std::uint32_t local_size = 0;  ///< bytes of the address the client connected to
    std::uint32_t body_size = 0;   ///< bytes of the body, unless it is in a file
    std::uint16_t port = 0;        ///< the client's
    std::uint16_t local_port = 0;  ///< the port the client connected to
    // Not bool, which must not have the other values that a socket may deliver.
    std::uint8_t secure = 0;        ///< 1: over TLS
    std::uint8_t is_unix = 0;       ///< 1: over a unix socket
    std::uint8_t body_in_file = 0;  ///< 1: the body is in a file
    std::uint8_t unused = 0;        // instead of padding
    std::int64_t deadline = 0;      ///< of the request, in ticks of the clock
    std::uint64_t file_size = 0;
};

/// Encodes a request, without a body that is sent as a file.
[[nodiscard]] std::string encode_job(request& req, std::string_view body);

/// A job_header and the data that follows it.
struct job_parts {
    job_header header;
    std::string_view head;
    std::string_view id;
    std::string_view peer;
    std::string_view local;
    std::string_view body;
};
/// Returns nothing if more bytes are needed. Throws std::runtime_error for a malformed job.
[[nodiscard]] std::optional<job_parts> parse_job(std::string_view received);

/// Thrown for a malformed reply of a compute process.
class malformed_reply : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr const char* compute_timeout_text = "the computation timed out";

enum class frame_kind : std::uint8_t {
    started,       ///< the view is about to be called
    head,          ///< head of the response: see reply_head
    bytes,         ///< bytes of the body
    file,          ///< part of the body in a file whose descriptor is attached: offset and length, eight bytes each
    end,           ///< the response is complete
    failed,        ///< instead of a head: see reply_failure
    unknown_view,  ///< instead of any other frame: the process runs another version of the program without this view
};

struct frame {
    frame_kind kind;
    std::string_view payload;
};

inline constexpr std::size_t frame_header_size = 5;
inline constexpr std::size_t max_frame_size = 1 << 20;

void append_frame(std::string& to, frame_kind kind, std::string_view payload);
/// Parses the first frame and sets `size` to its size; nothing if more bytes are needed. Throws malformed_reply.
[[nodiscard]] std::optional<frame> parse_frame(std::string_view received, std::size_t& size);

/// The head of a response.
struct reply_head {
    http::status code{};
    bool close = false;
    std::optional<std::uint64_t> length;
    std::string content_type;
    http::fields fields;
};

/// The position of a part of a body in its file.
struct file_part {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};
[[nodiscard]] std::string file_payload(file_part part);
/// Throws malformed_reply, as do parse_failure_payload() and parse_head_payload().
[[nodiscard]] file_part parse_file_payload(std::string_view payload);

/// Why there is no response.
struct reply_failure {
    http::status code{};
    std::string text{};
    std::optional<std::chrono::seconds> retry_after{};
};
[[nodiscard]] std::string failure_payload(const reply_failure& failure);
[[nodiscard]] reply_failure parse_failure_payload(std::string_view payload);

[[nodiscard]] std::string head_payload(const handler::response_head& head, std::optional<std::uint64_t> length);
/// Also throws for more than one Content-Type.
[[nodiscard]] reply_head parse_head_payload(std::string_view payload);

}  // namespace rondo::detail
