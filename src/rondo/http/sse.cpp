// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/sse.hpp>

#include <cstddef>
#include <stdexcept>

namespace rondo::http {
namespace {

constexpr std::string_view line_ends = "\r\n";

void append_line(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += '\n';
}

// Appends the text line by line, including an empty last line: "a\n" is "a" and "".
void append_lines(std::string& out, std::string_view name, std::string_view text) {
    for (;;) {
        const std::size_t end = text.find_first_of(line_ends);
        append_line(out, name, text.substr(0, end));
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + (text.substr(end).starts_with(line_ends) ? 2 : 1));
    }
}

}  // namespace

void append(std::string& out, const server_sent_event& event) {
    if (event.event.find_first_of(line_ends) != std::string::npos) {
        throw std::invalid_argument("the type of a server-sent event must be a single line");
    }
    if (event.id && event.id->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        throw std::invalid_argument("the id of a server-sent event must be a single line without NUL");
    }
    if (event.id) append_line(out, "id", *event.id);
    if (!event.event.empty()) append_line(out, "event", event.event);
    if (event.retry) append_line(out, "retry", std::to_string(*event.retry));
    append_lines(out, "data", event.data);
    out += '\n';
}

std::string to_string(const server_sent_event& event) {
    std::string out;
    append(out, event);
    return out;
}

void append_comment(std::string& out, std::string_view text) {
    append_lines(out, "", text);
    out += '\n';
}

}  // namespace rondo::http
