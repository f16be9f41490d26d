// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/responder.hpp>

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

#include <rondo/handler/error.hpp>
#include <rondo/web/isolated/fd_passing.hpp>

namespace rondo::detail {

namespace {

std::string read_range(int fd, std::uint64_t offset, std::uint64_t length) {
    std::string bytes(length, '\0');
    for (std::size_t size = 0; size < length;) {
        const ssize_t n = ::pread(fd, bytes.data() + size, length - size, static_cast<off_t>(offset + size));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw response_error("the file is shorter than declared");
        size += static_cast<std::size_t>(n);
    }
    return bytes;
}

}  // namespace

void compute_responder::send(std::string_view bytes, int file) {
    while (!bytes.empty()) {
        const ssize_t n = send_with_fd(connection_, bytes, file);
        if (n > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
            file = -1;
        } else if (errno != EINTR) {
            throw cancelled{cancel_reason::disconnected};
        }
    }
}

void compute_responder::view_started() {
    std::string out;
    append_frame(out, frame_kind::started, {});
    send(out);
}

void compute_responder::unknown_view() {
    std::string out;
    append_frame(out, frame_kind::unknown_view, {});
    send(out);
}

void compute_responder::fail(const reply_failure& failure) {
    std::string out;
    append_frame(out, frame_kind::failed, failure_payload(failure));
    send(out);
}

void compute_responder::respond(const handler::response_head& head, std::string_view body) {
    if (has_started()) throw response_error("response already started");
    code_ = head.code;
    body_bytes_ = body.size();
    std::string out;
    append_frame(out, frame_kind::head, head_payload(head, body.size()));
    if (!head_only_ && !body.empty()) append_frame(out, frame_kind::bytes, body);
    append_frame(out, frame_kind::end, {});
    send(out);
}

void compute_responder::inform(http::status code, const http::fields&) {
    if (has_started()) throw response_error("response already started");
    check_interim(code);
}

void compute_responder::start(const handler::response_head& head, std::optional<std::uint64_t> length) {
    if (has_started()) throw response_error("response already started");
    code_ = head.code;
    length_ = length;
    std::string out;
    append_frame(out, frame_kind::head, head_payload(head, length));
    send(out);
}

task<void> compute_responder::write(std::string_view bytes) {
    send_body(bytes);
    co_return;
}

bool compute_responder::try_write(std::string_view bytes) {
    if (bytes.size() > large_write) return false;
    send_body(bytes);
    return true;
}

task<void> compute_responder::wait_for_room() {
    token_.check();
    co_return;
}

void compute_responder::send_body(std::string_view bytes) {
    token_.check();
    if (bytes.empty() || head_only_) return;
    body_bytes_ += bytes.size();
    std::string out;
    if (bytes.size() <= max_inline_body) {
        append_frame(out, frame_kind::bytes, bytes);
        return send(out);
    }
    const unique_fd file = make_memory_file(bytes);
    append_frame(out, frame_kind::file, file_payload({0, bytes.size()}));
    send(out, file.value());
}

task<void> compute_responder::write_file(int fd, std::uint64_t offset, std::uint64_t length) {
    token_.check();
    if (length == 0 || head_only_) co_return;
    if (length <= max_inline_body) {
        const std::string bytes = read_range(fd, offset, length);
        co_return send_body(bytes);
    }
    body_bytes_ += length;
    std::string out;
    append_frame(out, frame_kind::file, file_payload({offset, length}));
    send(out, fd);
}

void compute_responder::finish() {
    if (!head_only_ && !http::sent_without_content(code_) && length_.value_or(body_bytes_) != body_bytes_)
        throw response_error("fewer bytes were written than declared");
    std::string out;
    append_frame(out, frame_kind::end, {});
    send(out);
}

void compute_responder::finish_with(const http::fields& trailers) {
    check_trailers(trailers);
    finish();
}

void compute_responder::abort() noexcept { ::shutdown(connection_, SHUT_RDWR); }

}  // namespace rondo::detail
