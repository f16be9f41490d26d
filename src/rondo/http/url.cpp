// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/url.hpp>

#include <algorithm>
#include <utility>

#include <rondo/codec/percent.hpp>
#include <rondo/http/authority.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/path_and_query.hpp>

namespace rondo::http {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = characters::to_lower(c);
    return out;
}

bool has_control_byte(std::string_view text) noexcept {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Percent-encodes a path and query; existing escapes are kept.
std::string encode_target(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool escape = c == '%' && text.size() - i > 2 && characters::is(text[i + 1], characters::hex) &&
                            characters::is(text[i + 2], characters::hex);
        if (escape || c == '?' || characters::is(c, characters::uri)) {
            out += c;
        } else {
            constexpr std::string_view digits = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            ((out += '%') += digits[byte >> 4]) += digits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> decoded(std::string_view text) { return codec::percent_decode(text); }

bool read_user(std::string_view text, url& out) {
    const std::size_t colon = text.find(':');
    auto user = decoded(text.substr(0, colon));
    if (!user) return false;
    out.user = *std::move(user);
    if (colon == std::string_view::npos) return true;
    auto password = decoded(text.substr(colon + 1));
    if (!password) return false;
    out.password = *std::move(password);
    return true;
}

bool read_host(std::string_view text, url& out) {
    const auto parsed = parse_authority(text);
    if (!parsed) return false;
    std::string_view host = parsed->host;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host.data() != text.data() && characters::to_lower(host[0]) == 'v')
        return false;  // IPvFuture: no version is known
    out.host = lower(host);
    out.port = parsed->port.value_or(out.is_secure() ? 443 : 80);
    return out.port != 0;
}

bool read_unix_path(std::string_view text, url& out) {
    auto path = decoded(text);
    if (!path || path->empty() || path->find('\0') != std::string::npos) return false;
    out.unix_path = *std::move(path);
    out.port = 80;
    return true;
}

std::string_view without_fragment(std::string_view text) { return text.substr(0, text.find('#')); }

// The path, and the query including its '?'.
std::pair<std::string_view, std::string_view> split_query(std::string_view text) {
    const std::size_t question = std::min(text.find('?'), text.size());
    return {text.substr(0, question), text.substr(question)};
}

std::optional<url> checked_reference(std::optional<url> absolute) {
    if (absolute && (!absolute->unix_path.empty() || !absolute->user.empty() || !absolute->password.empty()))
        return std::nullopt;
    return absolute;
}

bool has_scheme(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos || text.find_first_of("/?") < colon) return false;
    return is_valid_token(text.substr(0, colon));
}

}  // namespace

std::optional<url> url::parse(std::string_view text) {
    text = without_fragment(text);
    if (has_control_byte(text)) return std::nullopt;
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) return std::nullopt;
    url out;
    out.scheme = lower(text.substr(0, colon));
    const bool unix_socket = out.scheme == "http+unix";
    if (unix_socket) out.scheme = "http";
    if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
    text.remove_prefix(colon + 3);
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    std::string_view authority = text.substr(0, end);
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        if (!read_user(authority.substr(0, at), out)) return std::nullopt;
        authority.remove_prefix(at + 1);
    }
    const bool valid = unix_socket ? read_unix_path(authority, out) : read_host(authority, out);
    if (!valid) return std::nullopt;
    out.target = encode_target(text.substr(end));
    if (!out.target.starts_with('/')) out.target.insert(0, 1, '/');
    return out;
}

std::optional<url> url::resolve(std::string_view reference) const {
    reference = without_fragment(reference);
    if (has_scheme(reference)) return checked_reference(parse(reference));
    if (reference.starts_with("//")) return checked_reference(parse(scheme + ":" + std::string(reference)));
    if (has_control_byte(reference)) return std::nullopt;
    url out = *this;
    const auto [base_path, base_query] = split_query(target);
    const auto [path, query] = split_query(reference);
    if (reference.empty()) return out;
    if (path.empty()) {
        out.target = std::string(base_path) + encode_target(query);
        return out;
    }
    std::string merged(path);
    if (!path.starts_with('/')) merged.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
    out.target = encode_target(remove_dot_segments(merged)) + encode_target(query);
    if (!out.target.starts_with('/')) out.target.insert(0, 1, '/');
    return out;
}

std::string url::authority() const {
    if (!unix_path.empty()) return "localhost";
    std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (is_secure() ? 443 : 80)) (out += ':') += std::to_string(port);
    return out;
}

std::string url::origin() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    std::string out = scheme + "://" + (host.find(':') == std::string::npos ? host : "[" + host + "]");
    return (out += ':') += std::to_string(port);
}

std::string url::text() const {
    if (!unix_path.empty()) return "http+unix://" + codec::percent_encode(unix_path) + target;
    return scheme + "://" + authority() + target;
}

}  // namespace rondo::http
