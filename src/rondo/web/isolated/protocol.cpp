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
class reader {
public:
    explicit reader(std::string_view from) noexcept : rest_(from) {}

    template <class T>
    T number() {
        T n;
        std::memcpy(&n, take(sizeof n).data(), sizeof n);
        return n;
    }
    std::string_view text() { return take(number<std::uint32_t>()); }
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

private:
    std::string_view take(std::size_t size) {
        if (size > rest_.size()) throw invalid_answer("truncated frame");
        const std::string_view bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    std::string_view rest_;
};

void append_line(std::string& to, std::string_view name, std::string_view value) {
    to.append(name).append(": ").append(value).append("\r\n");
}

std::string request_head(request& req) {
    std::string head(req.method_text());
    head.append(" ").append(req.target());
    const bool old = req.received().version_minor == 0;
    head.append(old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (const http::field f : req.fields()) append_line(head, f.name, f.value);
    if (!old && !req.field("Host")) append_line(head, "Host", req.host());
    return head += "\r\n";
}

// Empty frames of the other kinds are invalid, because an endless sequence of them would keep the reader busy.
bool is_valid(frame_kind kind, std::uint32_t size) noexcept {
    switch (kind) {
        case frame_kind::begun:
        case frame_kind::end:
        case frame_kind::not_here: return size == 0;
        case frame_kind::head:
        case frame_kind::bytes:
        case frame_kind::failed: return size > 0 && size <= largest_frame;
        case frame_kind::file: return size == sizeof(file_part);
    }
    return false;
}

// As in a worker process, fields that the server writes are not allowed.
void check_field(std::string_view name, std::string_view value) {
    if (!http::valid_field_name(name)) throw invalid_answer("invalid field name");
    if (!http::valid_field_value(value)) throw invalid_answer("invalid value of the field " + std::string(name));
    if (http::is_connection_field(name) || http::same_ignoring_case(name, "Date"))
        throw invalid_answer("field reserved for the server: " + std::string(name));
}

http::status checked_code(std::uint16_t number, int min) {
    if (number < min || number > 599) throw invalid_answer("invalid status " + std::to_string(number));
    return static_cast<http::status>(number);
}

constexpr std::int64_t longest_retry = 365 * 86'400;
constexpr std::uint64_t no_length = UINT64_MAX;
constexpr std::int64_t no_retry = -1;
constexpr std::uint32_t largest_head = 16 << 20;
constexpr std::uint32_t largest_text = 64 << 10;  // of an id or an address

}  // namespace

std::string job_message(request& req, std::string_view body) {
    const std::string head = request_head(req);
    const std::string_view id = req.id();
    const std::string_view peer = req.peer_address();
    job_head j;
    j.head = static_cast<std::uint32_t>(head.size());
    j.id = static_cast<std::uint32_t>(id.size());
    j.peer = static_cast<std::uint32_t>(peer.size());
    const bool in_file = body.size() > inline_body;
    j.file = in_file ? 1 : 0;
    j.body = in_file ? 0 : static_cast<std::uint32_t>(body.size());
    j.file_size = in_file ? body.size() : 0;
    j.port = req.received().connection ? req.received().connection->peer_port() : 0;
    j.secure = req.scheme() == "https" ? 1 : 0;
    j.deadline = req.deadline().time_since_epoch().count();
    std::string message;
    message.reserve(sizeof j + head.size() + id.size() + peer.size() + j.body);
    append_binary(message, j);
    message.append(head).append(id).append(peer);
    if (!in_file) message.append(body);
    return message;
}

std::optional<job_parts> parse_job(std::string_view received) {
    if (received.size() < sizeof(job_head)) return std::nullopt;
    job_parts parts;
    std::memcpy(&parts.lengths, received.data(), sizeof(job_head));
    const job_head& header = parts.lengths;
    if (header.layout != compute_layout || header.head > largest_head || header.id > largest_text ||
        header.peer > largest_text || header.body > inline_body || header.secure > 1 || header.file > 1 ||
        header.deadline < 0 || (header.file != 0) != (header.file_size != 0) || header.file_size > INT64_MAX) {
        throw std::runtime_error("malformed job");
    }
    received.remove_prefix(sizeof(job_head));
    if (received.size() < std::size_t{header.head} + header.id + header.peer + header.body) return std::nullopt;
    const auto read = [&received](std::size_t size) {
        const std::string_view bytes = received.substr(0, size);
        received.remove_prefix(size);
        return bytes;
    };
    parts.head = read(header.head);
    parts.id = read(header.id);
    parts.peer = read(header.peer);
    parts.body = read(header.body);
    return parts;
}

void append_frame(std::string& to, frame_kind kind, std::string_view payload) {
    append_binary(to, kind);
    append_text(to, payload);
}

std::optional<frame> first_frame(std::string_view received, std::size_t& size) {
    if (received.size() < frame_header_size) return std::nullopt;
    reader from(received.substr(0, frame_header_size));
    const auto kind = from.number<frame_kind>();
    const auto payload = from.number<std::uint32_t>();
    if (!is_valid(kind, payload))
        throw invalid_answer("invalid frame: kind " + std::to_string(static_cast<int>(kind)) + ", " +
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
    reader from(payload);
    file_part part;
    part.offset = from.number<std::uint64_t>();
    part.length = from.number<std::uint64_t>();
    if (part.length > INT64_MAX || part.offset > INT64_MAX - part.length)
        throw invalid_answer("invalid part of a file");
    return part;
}

std::string failure_payload(const answer_failure_text& failure) {
    std::string out;
    append_binary(out, static_cast<std::uint16_t>(http::to_int(failure.code)));
    append_binary(out, failure.retry_after ? std::int64_t{failure.retry_after->count()} : no_retry);
    append_text(out, std::string_view(failure.text).substr(0, inline_body));
    return out;
}

answer_failure_text parse_failure_payload(std::string_view payload) {
    reader from(payload);
    answer_failure_text failed;
    failed.code = checked_code(from.number<std::uint16_t>(), 400);
    const auto retry = from.number<std::int64_t>();
    if (retry < no_retry || retry > longest_retry) throw invalid_answer("invalid Retry-After " + std::to_string(retry));
    if (retry != no_retry) failed.retry_after = std::chrono::seconds(retry);
    failed.text = from.text();
    if (!from.empty()) throw invalid_answer("trailing bytes after a failure");
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

answer_head parse_head_payload(std::string_view payload) {
    reader from(payload);
    answer_head head;
    head.code = checked_code(from.number<std::uint16_t>(), 200);
    const auto close = from.number<std::uint8_t>();
    if (close > 1) throw invalid_answer("invalid response head");
    head.close = close == 1;
    const auto length = from.number<std::uint64_t>();
    if (length != no_length) head.length = length;
    head.content_type = from.text();
    check_field("Content-Type", head.content_type);
    std::size_t types = head.content_type.empty() ? 0 : 1;
    while (!from.empty()) {
        const std::string_view name = from.text();
        const std::string_view value = from.text();
        check_field(name, value);
        if (http::same_ignoring_case(name, "Content-Type") && ++types > 1)
            throw invalid_answer("more than one Content-Type");
        head.fields.add(name, value);
    }
    return head;
}

}  // namespace rondo::detail
