// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/path_and_query.hpp>

#include <algorithm>

#include <rondo/codec/percent.hpp>
#include <rondo/http/characters.hpp>

namespace rondo::http {

std::optional<std::string> decode_path(std::string_view path) {
    auto decoded = codec::percent_decode(path);
    if (decoded && decoded->find('\0') != std::string::npos) return std::nullopt;
    return decoded;
}

std::string remove_dot_segments(std::string_view path) {
    std::string out;
    out.reserve(path.size());
    const bool absolute = path.starts_with('/');
    if (absolute) path.remove_prefix(1);
    bool directory = false;  // the last segment implies a trailing slash
    for (bool last = false; !last;) {
        const std::size_t slash = path.find('/');
        last = slash == std::string_view::npos;
        const std::string_view segment = path.substr(0, slash);
        directory = segment == "." || segment == "..";
        if (segment == "..") {
            const std::size_t before = out.rfind('/');
            out.erase(before == std::string::npos ? 0 : before);
        } else if (segment != ".") {
            if (absolute || !out.empty()) out += '/';
            out += segment;
        }
        if (!last) path.remove_prefix(slash + 1);
    }
    if (directory && (absolute || !out.empty())) out += '/';
    return out;
}

namespace {

struct path_byte {
    char value;
    bool escaped;
    std::size_t size;  // as written
};

path_byte first_byte(std::string_view path) noexcept {
    const bool escaped = path[0] == '%' && path.size() > 2 && characters::is(path[1], characters::hex) &&
                         characters::is(path[2], characters::hex);
    if (!escaped) return {path[0], false, 1};
    return {static_cast<char>(characters::hex_value(path[1]) << 4 | characters::hex_value(path[2])), true, 3};
}

// The number of leading bytes that no normalization affects.
std::size_t unaffected_size(std::string_view path) noexcept {
    const auto is_special = [](char c) { return c == '/' || c == '%' || c == '\\' || c == ';'; };
    return static_cast<std::size_t>(std::ranges::find_if(path, is_special) - path.begin());
}

unsigned separator_normalization(path_byte b) noexcept {
    if (b.value == '\\') return backslash_is_slash;
    if (b.value == '/' && b.escaped) return decode_slashes;
    return 0;
}

}  // namespace

bool has_dot_segment(std::string_view decoded_path) noexcept {
    if (decoded_path.find('.') == std::string_view::npos) return false;
    for (;;) {
        const std::size_t end = decoded_path.find_first_of("/\\");
        const std::string_view segment = decoded_path.substr(0, end);
        const std::string_view name = segment.substr(0, segment.find(';'));
        if (name == "." || name == "..") return true;
        if (end == std::string_view::npos) return false;
        decoded_path.remove_prefix(end + 1);
    }
}

unsigned normalizations_of(std::string_view path) noexcept {
    if (path.find_first_of("%\\;") == std::string_view::npos && path.find("//") == std::string_view::npos) return 0;
    unsigned found = 0;
    bool after_slash = false;
    bool escaped_parameter = false;
    bool plain_parameter = false;
    while (!path.empty()) {
        const path_byte b = first_byte(path);
        const unsigned as_separator = separator_normalization(b);
        const bool slash = b.value == '/' || as_separator != 0;
        found |= as_separator;
        // A segment of only a parameter becomes empty when the parameter is stripped.
        if ((slash || b.value == ';') && after_slash) found |= merge_slashes;
        if (b.value == ';') {
            found |= strip_parameters;
            (b.escaped ? escaped_parameter : plain_parameter) = true;
        }
        after_slash = slash;
        path.remove_prefix(b.size);
    }
    const bool order_matters = escaped_parameter || (found & (decode_slashes | backslash_is_slash)) != 0;
    if (plain_parameter && order_matters) found |= strip_parameters_first;
    return found;
}

std::string normalize_path(std::string_view path, unsigned normalizations, std::size_t max_slashes) {
    std::string out;
    std::size_t slashes = 0;
    bool in_parameter = false;
    while (!path.empty()) {
        const std::size_t plain = unaffected_size(path);
        if (!in_parameter) out += path.substr(0, plain);
        path.remove_prefix(plain);
        if (path.empty()) break;
        if ((normalizations & strip_parameters_first) != 0 && path.front() == ';') {
            path.remove_prefix(std::min(path.find('/'), path.size()));
            continue;
        }
        const path_byte b = first_byte(path);
        const unsigned as_separator = separator_normalization(b);
        if ((b.value == '/' && !b.escaped) || (as_separator & normalizations) != 0) {
            in_parameter = false;
            if ((normalizations & merge_slashes) == 0 || !out.ends_with('/')) {
                out += '/';
                if (++slashes == max_slashes) break;
            }
        } else {
            if (b.value == ';' && (normalizations & strip_parameters) != 0) in_parameter = true;
            if (!in_parameter) out += path.substr(0, b.size);
        }
        path.remove_prefix(b.size);
    }
    return out;
}

std::string decode_form_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && text.size() - i > 2 && characters::is(text[i + 1], characters::hex) &&
                            characters::is(text[i + 2], characters::hex);
        if (escape) {
            out += static_cast<char>(characters::hex_value(text[i + 1]) << 4 | characters::hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

void query_pairs::iterator::read() {
    while (!remaining_.empty()) {
        const std::size_t ampersand = remaining_.find('&');
        const std::string_view part = remaining_.substr(0, ampersand);
        remaining_.remove_prefix(ampersand == std::string_view::npos ? remaining_.size() : ampersand + 1);
        if (part.empty()) continue;
        const std::size_t equals = part.find('=');
        current_.name = decode_form_text(part.substr(0, equals));
        current_.value = equals == std::string_view::npos ? std::string() : decode_form_text(part.substr(equals + 1));
        return;
    }
    ended_ = true;
}

std::optional<std::string> query_pairs::find(std::string_view name) const {
    for (const query_pair& pair : *this) {
        if (pair.name == name) return pair.value;
    }
    return std::nullopt;
}

void append_query_pair(std::string& query, std::string_view name, std::string_view value) {
    if (!query.empty()) query += '&';
    query += codec::percent_encode(name);
    query += '=';
    query += codec::percent_encode(value);
}

}  // namespace rondo::http
