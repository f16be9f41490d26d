// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/media_type.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

struct known_type {
    std::string_view extension;
    std::string_view type;
};

constexpr std::string_view default_type = "application/octet-stream";
constexpr std::size_t max_extension = 16;

// Sorted by extension.
constexpr std::array media_types = std::to_array<known_type>({
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"br", "application/x-brotli"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"eot", "application/vnd.ms-fontobject"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"log", "text/plain; charset=utf-8"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mid", "audio/midi"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"ts", "video/mp2t"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "text/xml; charset=utf-8"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
});
static_assert(std::ranges::is_sorted(media_types, {}, &known_type::extension));

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), characters::to_lower);
    return out;
}

std::string_view consume_token(std::string_view& text) noexcept {
    const auto end = std::ranges::find_if_not(text, [](char c) { return characters::is(c, characters::token); });
    const auto size = static_cast<std::size_t>(end - text.begin());
    const std::string_view token = text.substr(0, size);
    text.remove_prefix(size);
    return token;
}

// Parses a quoted-string and unescapes it; std::nullopt when it is unterminated or contains a control byte.
std::optional<std::string> consume_quoted(std::string_view& text) {
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        if (text[i] == '\\' && ++i == text.size()) break;
        if (!characters::is(text[i], characters::field_byte)) break;
        out += text[i];
    }
    return std::nullopt;
}

// Parses from behind the ';' and white space.
std::optional<parameter> consume_parameter(std::string_view& text) {
    parameter out;
    out.name = lower_case(consume_token(text));
    if (out.name.empty() || !text.starts_with('=')) return std::nullopt;
    text.remove_prefix(1);
    if (text.starts_with('"')) {
        auto value = consume_quoted(text);
        if (!value) return std::nullopt;
        out.value = *std::move(value);
    } else {
        out.value = consume_token(text);
        if (out.value.empty()) return std::nullopt;
    }
    return out;
}

}  // namespace

std::optional<std::string_view> media_type::find(std::string_view name) const noexcept {
    for (const parameter& p : parameters) {
        if (p.name == name) return p.value;
    }
    return std::nullopt;
}

std::optional<std::vector<parameter>> parse_parameters(std::string_view text) {
    std::vector<parameter> out;
    for (skip_spaces(text); !text.empty(); skip_spaces(text)) {
        if (text.front() != ';') return std::nullopt;
        text.remove_prefix(1);
        skip_spaces(text);
        if (text.empty() || text.front() == ';') continue;
        auto next = consume_parameter(text);
        if (!next) return std::nullopt;
        out.push_back(*std::move(next));
    }
    return out;
}

std::string essence_of(std::string_view text) {
    text = trimmed(text.substr(0, text.find(';')));
    const std::string_view original = text;
    if (consume_token(text).empty() || !text.starts_with('/')) return {};
    text.remove_prefix(1);
    if (consume_token(text).empty() || !text.empty()) return {};
    return lower_case(original);
}

std::optional<media_type> parse_media_type(std::string_view text) {
    text = trimmed(text);
    const std::string_view original = text;
    if (consume_token(text).empty() || !text.starts_with('/')) return std::nullopt;
    text.remove_prefix(1);
    if (consume_token(text).empty()) return std::nullopt;
    auto parameters = parse_parameters(text);
    if (!parameters) return std::nullopt;
    return media_type{lower_case(original.substr(0, original.size() - text.size())), *std::move(parameters)};
}

std::string_view media_type_for(std::string_view file_name) noexcept {
    const std::size_t dot = file_name.find_last_of("./");
    if (dot == std::string_view::npos || file_name[dot] == '/') return default_type;
    const std::string_view text = file_name.substr(dot + 1);
    if (text.size() > max_extension) return default_type;
    std::array<char, max_extension> lowered{};
    std::ranges::transform(text, lowered.begin(), characters::to_lower);
    const std::string_view extension(lowered.data(), text.size());
    const auto found = std::ranges::lower_bound(media_types, extension, {}, &known_type::extension);
    return found != media_types.end() && found->extension == extension ? found->type : default_type;
}

}  // namespace rondo::http
