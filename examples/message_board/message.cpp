// SPDX-License-Identifier: Apache-2.0
#include "message.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <rondo/base/utf8.hpp>
#include <rondo/codec/json.hpp>

namespace message_board {
namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view whitespace = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(whitespace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(whitespace) - begin + 1);
}

// Browsers send CRLF.
std::string with_lf_line_ends(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        out += text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

std::size_t count_characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

// C0 except the characters in `allowed`, DEL, and C1 (U+0080 to U+009F).
bool has_control(std::string_view utf8, std::string_view allowed) {
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        const auto c = static_cast<unsigned char>(utf8[i]);
        if ((c < 0x20 || c == 0x7F) && allowed.find(utf8[i]) == std::string_view::npos) return true;
        if (c == 0xC2 && static_cast<unsigned char>(utf8[i + 1]) < 0xA0) return true;
    }
    return false;
}

std::optional<std::string> find_error(const draft& d) {
    if (d.text.empty()) return "Please enter a message.";
    if (const std::size_t n = count_characters(d.text); n > max_text)
        return fmt::format("A message may have at most {} characters; this one has {}.", max_text, n);
    if (std::ranges::count(d.text, '\n') >= static_cast<std::ptrdiff_t>(max_lines))
        return fmt::format("A message may have at most {} lines.", max_lines);
    if (count_characters(d.author) > max_author)
        return fmt::format("A name may have at most {} characters.", max_author);
    if (has_control(d.author, "") || has_control(d.text, "\n\t"))
        return "Control characters are not allowed; please remove them.";
    return std::nullopt;
}

}  // namespace

std::expected<draft, rejection> validate(std::string_view author, std::string_view text) {
    if (!rondo::is_valid_utf8(author) || !rondo::is_valid_utf8(text))
        return std::unexpected(rejection{400, "The message is not UTF-8."});
    draft d{std::string(trim(author)), with_lf_line_ends(trim(text))};
    if (d.author.empty()) d.author = "Anonymous";
    if (auto error = find_error(d)) return std::unexpected(rejection{422, *std::move(error)});
    return d;
}

std::string iso_time(std::int64_t milliseconds) {
    return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)),
                       milliseconds % 1000);
}

std::string pack(const message& m) {
    std::string out;
    rondo::codec::json_writer writer(out);
    writer.begin_object();
    writer.member("origin", std::string_view(m.origin)).member("author", std::string_view(m.author));
    writer.member("text", std::string_view(m.text)).member("created_at", m.created_at);
    writer.end_object();
    return out;
}

std::optional<message> unpack(std::string_view packed) {
    const auto parsed = rondo::codec::parse_json(packed);
    if (!parsed || !parsed->is_object()) return std::nullopt;
    const rondo::codec::json_value& m = *parsed;
    for (const char* name : {"origin", "author", "text"})
        if (!m[name].is_string()) return std::nullopt;
    if (!m["created_at"].is_number()) return std::nullopt;
    return message{0, m["author"].as_string(), m["text"].as_string(), m["created_at"].as_integer(),
                   m["origin"].as_string()};
}

void write_json(rondo::codec::json_writer& writer, const message& m) {
    writer.begin_object();
    writer.member("id", m.id).member("author", std::string_view(m.author)).member("text", std::string_view(m.text));
    writer.member("created_at", std::string_view(iso_time(m.created_at)));
    writer.end_object();
}

std::string to_json(const message& m) {
    std::string out;
    rondo::codec::json_writer writer(out);
    write_json(writer, m);
    return out;
}

}  // namespace message_board
