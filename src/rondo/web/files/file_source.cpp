// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/file_source.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <rondo/codec/digest.hpp>
#include <rondo/http/conditional.hpp>
#include <rondo/http/etag.hpp>
#include <rondo/web/request.hpp>

namespace rondo {

namespace {

http::unix_seconds current_time() noexcept { return std::time(nullptr); }

bool is_read_method(http::method m) noexcept { return m == http::method::get || m == http::method::head; }

std::string read_content(const opened_file& file) {
    std::string content(file.size, '\0');
    std::size_t read = 0;
    while (read < content.size()) {
        const ssize_t n =
            ::pread(file.fd.value(), content.data() + read, content.size() - read, static_cast<off_t>(read));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw std::system_error(errno, std::generic_category(), "cannot read the file");
        if (n == 0) break;  // the file was truncated
        read += static_cast<std::size_t>(n);
    }
    content.resize(read);
    return content;
}

std::string_view field_value(const handler::response_head& head, std::string_view name) noexcept {
    return head.fields ? head.fields->find(name).value_or(std::string_view()) : std::string_view();
}

std::string_view content_type_of(const handler::response_head& head) noexcept {
    return head.content_type.empty() ? field_value(head, "Content-Type") : head.content_type;
}

/// A modifiable copy of the head, with its fields in `fields`.
handler::response_head modifiable_copy(const handler::response_head& head, http::status code, http::fields& fields) {
    if (head.fields) fields = *head.fields;
    return {code, head.content_type, &fields, head.close};
}

void respond_without_body(handler::responder& to, const handler::response_head& head, http::status code,
                          std::string_view content_range = {}) {
    http::fields fields;
    handler::response_head bare = modifiable_copy(head, code, fields);
    bare.content_type = {};
    fields.remove("Content-Type");
    if (!content_range.empty()) fields.set("Content-Range", content_range);
    to.respond(bare, {});
}

std::string make_boundary() {
    std::array<std::uint8_t, 16> bytes{};
    codec::fill_random(bytes);
    return codec::hex(bytes);
}

}  // namespace

file_source::file_source(opened_file file) : file_(std::move(file)) {
    if (is_in_memory()) {
        content_ = read_content(file_);
        file_.size = content_.size();
        file_.fd.reset();
    }
    // RFC 9110 section 8.8.2.1: Last-Modified must not be later than the response.
    modified_ = std::min<http::unix_seconds>(file_.modified_ns / 1'000'000'000, current_time());
}

std::string file_source::etag() const { return http::file_etag(file_.size, file_.modified_ns); }

http::range_set file_source::requested_ranges(const handler::response_head& head, const request& req) const {
    const http::fields_view& fields = req.fields();
    if (req.method() != http::method::get || fields.count("Range") != 1) return {};
    if (!http::range_applies(fields, {field_value(head, "ETag"), modified_}, current_time())) return {};
    return http::parse_range(*fields.find("Range"), file_.size);
}

task<void> file_source::send(handler::responder& to, const handler::response_head& head, request& req) {
    http::range_set requested;
    if (head.code == http::status::ok && is_read_method(req.method())) {
        const http::validators validators{field_value(head, "ETag"), modified_};
        const auto precondition = http::evaluate(req.method(), req.fields(), validators, current_time());
        if (precondition == http::precondition::not_modified)
            co_return respond_without_body(to, head, http::status::not_modified);
        if (precondition == http::precondition::failed)
            co_return respond_without_body(to, head, http::status::precondition_failed);
        requested = requested_ranges(head, req);
    }
    using outcome = http::range_set::outcome;
    if (requested.result == outcome::unsatisfiable) {
        const std::string range = http::unsatisfied_range(file_.size);
        co_return respond_without_body(to, head, http::status::range_not_satisfiable, range);
    }
    if (requested.result == outcome::whole) co_return co_await send_whole(to, head);
    if (requested.ranges.size() > 1) co_return co_await send_parts(to, head, requested.ranges);
    co_await send_part(to, head, requested.ranges.front());
}

task<void> file_source::send_whole(handler::responder& to, const handler::response_head& head) {
    if (is_in_memory()) co_return to.respond(head, content_);
    to.start(head, file_.size);
    if (to.needs_body()) co_await to.write_file(file_.fd.value(), 0, file_.size);
    to.finish();
}

task<void> file_source::send_part(handler::responder& to, const handler::response_head& head, http::byte_range part) {
    http::fields fields;
    const handler::response_head partial = modifiable_copy(head, http::status::partial_content, fields);
    fields.set("Content-Range", http::content_range(part, file_.size));
    to.start(partial, part.size());
    co_await write(to, part);
    to.finish();
}

task<void> file_source::send_parts(handler::responder& to, const handler::response_head& head,
                                   const std::vector<http::byte_range>& parts) {
    const std::string boundary = make_boundary();
    const std::string end = "\r\n--" + boundary + "--\r\n";
    std::vector<std::string> part_heads;
    std::uint64_t length = end.size();
    for (const http::byte_range& part : parts) {
        std::string text = part_heads.empty() ? "--" : "\r\n--";
        text += boundary + "\r\n";
        if (!content_type_of(head).empty()) text.append("Content-Type: ").append(content_type_of(head)).append("\r\n");
        text += "Content-Range: " + http::content_range(part, file_.size) + "\r\n\r\n";
        length += text.size() + part.size();
        part_heads.push_back(std::move(text));
    }
    http::fields fields;
    handler::response_head multipart = modifiable_copy(head, http::status::partial_content, fields);
    const std::string type = "multipart/byteranges; boundary=" + boundary;
    multipart.content_type = type;
    fields.remove("Content-Type");
    to.start(multipart, length);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        co_await to.write(part_heads[i]);
        co_await write(to, parts[i]);
    }
    co_await to.write(end);
    to.finish();
}

task<void> file_source::write(handler::responder& to, http::byte_range part) {
    if (!is_in_memory()) return to.write_file(file_.fd.value(), part.first, part.size());
    return to.write(std::string_view(content_).substr(part.first, part.size()));
}

}  // namespace rondo
