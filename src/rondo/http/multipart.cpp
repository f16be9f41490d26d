// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/multipart.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/http/multipart_parameters.hpp>

namespace rondo::http {
namespace {

using characters::crlf;

constexpr std::size_t max_boundary = 200;
constexpr std::string_view blank_line = "\r\n\r\n";

// Joins lines that begin with white space to the line before (RFC 5322 section 2.2.3).
bool unfold(std::string& head) {
    for (std::size_t at = head.find(crlf); at + 2 < head.size(); at = head.find(crlf, at)) {
        const char next = head[at + 2];
        if (next != ' ' && next != '\t') {
            at += 2;
            continue;
        }
        const std::size_t text = head.find_first_not_of(" \t", at + 2);
        if (text == std::string::npos || head[text] == '\r') return false;  // a line of only white space
        head[at] = head[at + 1] = ' ';
    }
    return true;
}

// Browsers quote all names and encode only quoted ones.
std::string decoded_name(form_parameter& p) { return p.quoted ? decode_form_name(p.value) : std::move(p.value); }

}  // namespace

bool is_valid_boundary(std::string_view text) noexcept {
    const auto allowed = [](char c) { return c >= ' ' && c <= '~'; };
    return !text.empty() && text.size() <= max_boundary && text.back() != ' ' && std::ranges::all_of(text, allowed);
}

std::optional<std::string> multipart_boundary(std::string_view content_type) {
    if (essence_of(content_type) != "multipart/form-data") return std::nullopt;
    const std::size_t semicolon = std::min(content_type.find(';'), content_type.size());
    const auto parameters = parse_content_type_parameters(content_type.substr(semicolon));
    if (!parameters) return std::nullopt;
    std::optional<std::string> boundary;
    for (const form_parameter& p : *parameters) {
        if (p.name != "boundary") continue;
        if (boundary) return std::nullopt;  // ambiguous: parsers differ in which one they use
        boundary = p.value;
    }
    return boundary && is_valid_boundary(*boundary) ? boundary : std::nullopt;
}

multipart_parser::multipart_parser(std::string_view boundary, const multipart_limits& limits) : limits_(limits) {
    if (!is_valid_boundary(boundary))
        throw std::invalid_argument("invalid multipart boundary; expected 1 to 200 visible characters");
    delimiter_ = "\r\n--";
    delimiter_ += boundary;
}

multipart_parser::result multipart_parser::parse(std::string_view in) {
    std::size_t at = 0;
    while (state_ != state::done && state_ != state::failed) {
        if (at == in.size()) return {event::need_more, at, {}};
        const std::string_view remaining = in.substr(at);
        if (state_ == state::preamble || state_ == state::content) {
            const bool in_part = state_ == state::content;
            result found = content(remaining);
            at += found.consumed;
            found.consumed = at;
            if (in_part && found.kind != event::need_more) return found;
        } else if (state_ == state::head) {
            at += head_bytes(remaining);
            if (state_ == state::content) return {event::part_begin, at, {}};
        } else {
            boundary_byte(remaining.front());
            ++at;
        }
    }
    return {state_ == state::done ? event::done : event::error, at, {}};
}

std::size_t multipart_parser::match_size(std::string_view in, std::size_t from) const noexcept {
    const std::string_view expected = std::string_view(delimiter_).substr(from);
    const std::size_t size = std::min(in.size(), expected.size());
    return static_cast<std::size_t>(
        std::mismatch(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(size), expected.begin()).first - in.begin());
}

// Reads content up to the next delimiter. CR occurs only as the first byte of the delimiter, so a failed match resumes
// at the byte that failed.
multipart_parser::result multipart_parser::content(std::string_view in) {
    if (matched_ != 0) return resume_match(in);
    std::size_t at = 0;
    for (;;) {
        at = std::min(in.find('\r', at), in.size());
        const std::size_t size = match_size(in.substr(at), 0);
        const bool complete = size == delimiter_.size();
        if (!complete && at + size < in.size()) {
            at += size;
            continue;
        }
        if (at != 0) return {event::part_data, at, in.substr(0, at)};
        return resume_match(in);
    }
}

multipart_parser::result multipart_parser::resume_match(std::string_view in) {
    const std::size_t size = match_size(in, matched_);
    matched_ += size;
    if (matched_ == delimiter_.size()) {
        matched_ = 0;
        state_ = state::after_boundary;
        return {event::part_end, size, {}};
    }
    if (size == in.size()) return {event::need_more, size, {}};
    return {event::part_data, size, std::string_view(delimiter_).substr(0, std::exchange(matched_, 0))};
}

// "--" ends the body; white space and CRLF lead to the next part.
void multipart_parser::boundary_byte(char c) noexcept {
    const bool space = c == ' ' || c == '\t';
    if (state_ == state::closing) {
        if (c != '-') return fail(multipart_error::bad_boundary);
        state_ = state::done;
    } else if (state_ == state::boundary_lf) {
        if (c != '\n') return fail(multipart_error::bad_boundary);
        state_ = state::head;
    } else if (c == '\r') {
        state_ = state::boundary_lf;
    } else if (space) {
        state_ = state::padding;
    } else if (c == '-' && state_ == state::after_boundary) {
        state_ = state::closing;
    } else {
        fail(multipart_error::bad_boundary);
    }
}

// Consumes at most one line, so the end of the head is always at the start of a line.
std::size_t multipart_parser::head_bytes(std::string_view in) {
    const std::size_t lf = in.find('\n');
    const std::size_t size = lf == std::string_view::npos ? in.size() : lf + 1;
    if (size > limits_.head_bytes - head_.size()) {
        fail(multipart_error::head_too_large);
        return size;
    }
    head_ += in.substr(0, size);
    if (lf == std::string_view::npos) return size;
    if (!head_.ends_with(crlf)) {
        fail(multipart_error::bad_part_head);
    } else if (head_ == crlf || head_.ends_with(blank_line)) {
        read_head();
        head_.clear();
    }
    return size;
}

void multipart_parser::read_head() {
    part_ = {};
    has_name_ = false;
    if (!unfold(head_)) return fail(multipart_error::bad_part_head);
    std::string_view remaining = head_;
    while (remaining != crlf) {
        const std::size_t end = remaining.find(crlf);
        if (!read_field(remaining.substr(0, end))) return fail(multipart_error::bad_part_head);
        remaining.remove_prefix(end + crlf.size());
    }
    if (!has_name_) return fail(multipart_error::bad_part_head);
    if (parts_++ == limits_.parts) return fail(multipart_error::too_many_parts);
    state_ = state::content;
}

bool multipart_parser::read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_valid_field_name(name) || !is_valid_field_value(value)) return false;
    if (equals_ignore_case(name, "content-disposition")) return read_disposition(value);
    if (equals_ignore_case(name, "content-type")) part_.content_type = value;
    return true;
}

bool multipart_parser::read_disposition(std::string_view value) {
    const std::size_t semicolon = std::min(value.find(';'), value.size());
    if (has_name_ || !equals_ignore_case(trimmed(value.substr(0, semicolon)), "form-data")) return false;
    auto parameters = parse_disposition_parameters(value.substr(semicolon));
    if (!parameters) return false;
    std::optional<std::string> extended;  // filename*
    for (form_parameter& p : *parameters) {
        if (p.name == "name") {
            if (std::exchange(has_name_, true)) return false;
            part_.name = decoded_name(p);
        } else if (p.name == "filename") {
            if (part_.filename) return false;
            part_.filename = decoded_name(p);
        } else if (p.name == "filename*") {
            if (extended) return false;
            extended = std::move(p.value);
        }
    }
    return has_name_ && (!extended || use_extended_name(*extended));
}

bool multipart_parser::use_extended_name(std::string_view text) {
    auto decoded = decode_extended_value(text);
    if (decoded) part_.filename = std::move(decoded);
    return part_.filename.has_value();
}

void multipart_parser::fail(multipart_error error) noexcept {
    state_ = state::failed;
    error_ = error;
}

}  // namespace rondo::http
