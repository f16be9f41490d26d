// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/etag.hpp>

#include <charconv>
#include <cstddef>

#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

bool is_etag_byte(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

// Parses the tag at the start of the text and returns its size there; 0 when there is none.
std::size_t read_etag(std::string_view text, entity_tag& tag) noexcept {
    tag.weak = text.starts_with("W/");
    std::size_t i = tag.weak ? 2 : 0;
    if (i >= text.size() || text[i] != '"') return 0;
    const std::size_t begin = ++i;
    while (i < text.size() && is_etag_byte(text[i])) ++i;
    if (i == text.size() || text[i] != '"') return 0;
    tag.opaque = text.substr(begin, i - begin);
    return i + 1;
}

void append_hex(std::string& out, std::uint64_t number) {
    char digits[16];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number, 16).ptr);
}

}  // namespace

std::optional<entity_tag> parse_etag(std::string_view text) noexcept {
    entity_tag tag;
    const std::size_t size = read_etag(text, tag);
    return size == 0 || size != text.size() ? std::nullopt : std::optional(tag);
}

bool is_strong_match(entity_tag a, entity_tag b) noexcept { return !a.weak && !b.weak && a.opaque == b.opaque; }

bool is_weak_match(entity_tag a, entity_tag b) noexcept { return a.opaque == b.opaque; }

bool etag_list_contains(std::string_view list, entity_tag tag, bool (*matches)(entity_tag, entity_tag)) noexcept {
    list = trimmed(list);
    if (list == "*") return true;
    while (!list.empty()) {
        if (list.front() == ',') {
            list = trimmed(list.substr(1));
            continue;
        }
        entity_tag element;
        const std::size_t size = read_etag(list, element);
        if (size == 0) return false;
        if (matches(element, tag)) return true;
        list = trimmed(list.substr(size));
        if (!list.empty() && list.front() != ',') return false;
    }
    return false;
}

std::string file_etag(std::uint64_t size, std::int64_t modified_nanoseconds) {
    std::string out = "\"";
    append_hex(out, size);
    out += '-';
    append_hex(out, static_cast<std::uint64_t>(modified_nanoseconds));
    return out + '"';
}

}  // namespace rondo::http
