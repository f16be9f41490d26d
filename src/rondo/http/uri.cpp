// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/uri.hpp>

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
    bool directory = false;  // what is read so far ends with a slash
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
    while (!rest_.empty()) {
        const std::size_t ampersand = rest_.find('&');
        const std::string_view part = rest_.substr(0, ampersand);
        rest_.remove_prefix(ampersand == std::string_view::npos ? rest_.size() : ampersand + 1);
        if (part.empty()) continue;
        const std::size_t equals = part.find('=');
        now_.name = decode_form_text(part.substr(0, equals));
        now_.value = equals == std::string_view::npos ? std::string() : decode_form_text(part.substr(equals + 1));
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
