// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/protocol.hpp>

#include <cstring>
#include <stdexcept>
#include <string>

#include <rondo/http/fields.hpp>

namespace rondo::detail {

namespace {

template <class T>
void append_binary(std::string& to, T number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    to.append(bytes, sizeof number);
}

void append_text(std::string& to, std::string_view text) {
    append_binary(to, static_cast<std::uint32_t>(text.size()));
    to.append(text);
}

/// Reads numbers and texts from the front of a payload.
class payload_reader {
public:
    explicit payload_reader(std::string_view from) noexcept : remaining_(from) {}

    template <class T>
    T read_number() {
        T n;
        std::memcpy(&n, read_bytes(sizeof n).data(), sizeof n);
        return n;
    }
    std::string_view read_text() { return read_bytes(read_number<std::uint32_t>()); }
    [[nodiscard]] bool empty() const noexcept { return remaining_.empty(); }

private:
    std::string_view read_bytes(std::size_t size) {
        if (size > remaining_.size()) throw malformed_reply("truncated frame");
        const std::string_view bytes = remaining_.substr(0, size);
        remaining_.remove_prefix(size);
        return bytes;
    }
    std::string_view remaining_;
};

void append_line(std::string& to, std::string_view name, std::string_view value) {
    to.append(name).append(": ").append(value).append("\r\n");
}

std::string request_head(request& req) {
    std::string head(req.method_text());
    head.append(" ").append(req.target());
    const bool old = req.server_request().version_minor == 0;
    head.append(old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (const http::field f : req.fields()) append_line(head, f.name, f.value);
    if (!old && !req.field("Host")) append_line(head, "Host", req.host());
    return head += "\r\n";
}

// Empty frames of the other kinds are invalid, because an endless sequence of them would keep the reader busy.
bool is_valid_size(frame_kind kind, std::uint32_t size) noexcept {
    switch (kind) {
        case frame_kind::started:
        case frame_kind::end:
        case frame_kind::unknown_view: return size == 0;
        case frame_kind::head:
        case frame_kind::bytes:
        case frame_kind::failed: return size > 0 && size <= max_frame_size;
        case frame_kind::file: return size == sizeof(file_part);
    }
    return false;
}

// As in a worker process, fields that the server writes are not allowed.
void check_field(std::string_view name, std::string_view value) {
    if (!http::is_valid_field_name(name)) throw malformed_reply("invalid field name");
    if (!http::is_valid_field_value(value)) throw malformed_reply("invalid value of the field " + std::string(name));
    if (http::is_connection_field(name) || http::equals_ignore_case(name, "Date"))
        throw malformed_reply("field reserved for the server: " + std::string(name));
}

http::status checked_status(std::uint16_t number, int min) {
    if (number < min || number > 599) throw malformed_reply("invalid status " + std::to_string(number));
    return static_cast<http::status>(number);
}

constexpr std::int64_t max_retry_after = 365 * 86'400;
constexpr std::uint64_t no_length = UINT64_MAX;
constexpr std::int64_t no_retry_after = -1;
constexpr std::uint32_t max_head_size = 16 << 20;
constexpr std::uint32_t max_text_size = 64 << 10;  // of an id or an address

}  // namespace

std::string encode_job(request& req, std::string_view body) {
    const std::string head = request_head(req);
    const std::string_view id = req.id();
    const std::string_view peer = req.peer_address();
    handler::connection_info* const connection = req.server_request().connection;
    const std::string_view local = connection ? connection->local_address() : std::string_view();
    job_header j;
    j.head_size = static_cast<std::uint32_t>(head.size());
    j.id_size = static_cast<std::uint32_t>(id.size());
    j.peer_size = static_cast<std::uint32_t>(peer.size());
    j.local_size = static_cast<std::uint32_t>(local.size());
    const bool in_file = body.size() > max_inline_body;
    j.body_in_file = in_file ? 1 : 0;
    j.body_size = in_file ? 0 : static_cast<std::uint32_t>(body.size());
    j.file_size = in_file ? body.size() : 0;
    j.port = connection ? connection->peer_port() : 0;
    j.local_port = connection ? connection->local_port() : 0;
    j.is_unix = connection && connection->is_unix() ? 1 : 0;
    j.secure = req.scheme() == "https" ? 1 : 0;
    j.deadline = req.deadline().time_since_epoch().count();
    std::string message;
    message.reserve(sizeof j + head.size() + id.size() + peer.size() + local.size() + j.body_size);
    append_binary(message, j);
    message.append(head).append(id).append(peer).append(local);
    if (!in_file) message.append(body);
    return message;
}

std::optional<job_parts> parse_job(std::string_view received) {
    if (received.size() < sizeof(job_header)) return std::nullopt;
    job_parts parts;
    std::memcpy(&parts.header, received.data(), sizeof(job_header));
    const job_header& header = parts.header;
    if (header.version != compute_protocol_version || header.head_size > max_head_size ||
        header.id_size > max_text_size || header.peer_size > max_text_size || header.local_size > max_text_size ||
        header.body_size > max_inline_body || header.secure > 1 || header.is_unix > 1 || header.body_in_file > 1 ||
        header.deadline < 0 || (header.body_in_file != 0) != (header.file_size != 0) || header.file_size > INT64_MAX) {
        throw std::runtime_error("malformed job");
    }
    received.remove_prefix(sizeof(job_header));
    if (received.size() <
        std::size_t{header.head_size} + header.id_size + header.peer_size + header.local_size + header.body_size)
        return std::nullopt;
    const auto read = [&received](std::size_t size) {
        const std::string_view bytes = received.substr(0, size);
        received.remove_prefix(size);
        return bytes;
    };
    parts.head = read(header.head_size);
    parts.id = read(header.id_size);
    parts.peer = read(header.peer_size);
    parts.local = read(header.local_size);
    parts.body = read(header.body_size);
    return parts;
}

void append_frame(std::string& to, frame_kind kind, std::string_view payload) {
    append_binary(to, kind);
    append_text(to, payload);
}

std::optional<frame> parse_frame(std::string_view received, std::size_t& size) {
    if (received.size() < frame_header_size) return std::nullopt;
    payload_reader from(received.substr(0, frame_header_size));
    const auto kind = from.read_number<frame_kind>();
    const auto payload = from.read_number<std::uint32_t>();
    if (!is_valid_size(kind, payload))
        throw malformed_reply("invalid frame: kind " + std::to_string(static_cast<int>(kind)) + ", " +
                              std::to_string(payload) + " bytes");
    size = frame_header_size + payload;
    if (received.size() < size) return std::nullopt;
    return frame{kind, received.substr(frame_header_size, payload)};
}

std::string file_payload(file_part part) {
    std::string out;
    append_binary(out, part.offset);
    append_binary(out, part.length);
    return out;
}

file_part parse_file_payload(std::string_view payload) {
    payload_reader from(payload);
    file_part part;
    part.offset = from.read_number<std::uint64_t>();
    part.length = from.read_number<std::uint64_t>();
    if (part.length > INT64_MAX || part.offset > INT64_MAX - part.length)
        throw malformed_reply("invalid part of a file");
    return part;
}

std::string failure_payload(const reply_failure& failure) {
    std::string out;
    append_binary(out, static_cast<std::uint16_t>(http::to_int(failure.code)));
    append_binary(out, failure.retry_after ? std::int64_t{failure.retry_after->count()} : no_retry_after);
    append_text(out, std::string_view(failure.text).substr(0, max_inline_body));
    return out;
}

reply_failure parse_failure_payload(std::string_view payload) {
    payload_reader from(payload);
    reply_failure failed;
    failed.code = checked_status(from.read_number<std::uint16_t>(), 400);
    const auto retry = from.read_number<std::int64_t>();
    if (retry < no_retry_after || retry > max_retry_after)
        throw malformed_reply("invalid Retry-After " + std::to_string(retry));
    if (retry != no_retry_after) failed.retry_after = std::chrono::seconds(retry);
    failed.text = from.read_text();
    if (!from.empty()) throw malformed_reply("trailing bytes after a failure");
    return failed;
}

std::string head_payload(const handler::response_head& head, std::optional<std::uint64_t> length) {
    std::string out;
    append_binary(out, static_cast<std::uint16_t>(http::to_int(head.code)));
    append_binary(out, static_cast<std::uint8_t>(head.close));
    append_binary(out, length.value_or(no_length));
    append_text(out, head.content_type);
    if (head.fields == nullptr) return out;
    for (const http::field f : *head.fields) {
        append_text(out, f.name);
        append_text(out, f.value);
    }
    return out;
}

reply_head parse_head_payload(std::string_view payload) {
    payload_reader from(payload);
    reply_head head;
    head.code = checked_status(from.read_number<std::uint16_t>(), 200);
    const auto close = from.read_number<std::uint8_t>();
    if (close > 1) throw malformed_reply("invalid response head");
    head.close = close == 1;
    const auto length = from.read_number<std::uint64_t>();
    if (length != no_length) head.length = length;
    head.content_type = from.read_text();
    check_field("Content-Type", head.content_type);
    std::size_t types = head.content_type.empty() ? 0 : 1;
    while (!from.empty()) {
        const std::string_view name = from.read_text();
        const std::string_view value = from.read_text();
        check_field(name, value);
        if (http::equals_ignore_case(name, "Content-Type") && ++types > 1)
            throw malformed_reply("more than one Content-Type");
        head.fields.add(name, value);
    }
    return head;
}

}  // namespace rondo::detail
