// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/lenient_response_parser.hpp>

#include <algorithm>
#include <cstddef>

#include <rondo/http/characters.hpp>

namespace rondo::http::h1 {

namespace {

using characters::is_space;

// "Name :" becomes "Name: ".
bool repair_name(std::string& head, std::size_t line, std::size_t end) noexcept {
    std::size_t name = line;
    while (name < end && characters::is(head[name], characters::token)) ++name;
    std::size_t colon = name;
    while (colon < end && is_space(head[colon])) ++colon;
    if (name == line || colon == name || colon == end || head[colon] != ':') return false;
    head[name] = ':';
    std::fill(head.begin() + static_cast<std::ptrdiff_t>(name) + 1,
              head.begin() + static_cast<std::ptrdiff_t>(colon) + 1, ' ');
    return true;
}

}  // namespace

std::size_t find_head_end(std::string_view bytes) noexcept {
    const std::size_t blank = bytes.find("\r\n\r\n");
    return blank == std::string_view::npos ? blank : blank + 4;
}

bool repair_response_head(std::string& head) noexcept {
    bool repaired = false;
    bool after_field = false;
    std::size_t line = head.find("\r\n");
    while (line != std::string::npos && line + 2 < head.size()) {
        line += 2;
        const std::size_t end = head.find("\r\n", line);
        if (end == line) break;
        if (is_space(head[line]) && after_field) {
            head[line - 2] = head[line - 1] = ' ';
            repaired = true;
        } else if (end != std::string::npos) {
            repaired = repair_name(head, line, end) || repaired;
        }
        after_field = true;
        line = end;
    }
    return repaired;
}

std::expected<void, parse_error> parse_response_head_leniently(std::string_view bytes, method request_method,
                                                               const parse_limits& limits, std::span<field_ref> storage,
                                                               received_head& out, std::string& repaired) {
    repaired.clear();
    const auto strict = parse_response_head(bytes, request_method, limits, storage, out);
    if (strict || strict.error() == parse_error::incomplete) return strict;
    const std::size_t end = find_head_end(bytes);
    repaired = bytes.substr(0, end);
    // The byte after the last line decides whether it is folded.
    if (end == std::string_view::npos && repaired.ends_with("\r\n")) repaired.pop_back();
    (void)repair_response_head(repaired);
    return parse_response_head(repaired, request_method, limits, storage, out);
}

}  // namespace rondo::http::h1
