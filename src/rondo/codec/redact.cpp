// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/redact.hpp>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include <rondo/codec/percent.hpp>

namespace rondo::codec {

namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view mask = "***";
constexpr std::string_view whitespace = " \t\r\n\f\v";
constexpr std::string_view quotes = "\"'<>";
constexpr std::string_view digits = "0123456789";

struct range {
    std::size_t begin;
    std::size_t end;
};

bool is_one_of(char c, std::string_view set) { return set.find(c) != npos; }

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_one_of(c, digits) || is_one_of(c, "_-.%");
}

std::size_t first_not_of(std::string_view text, std::string_view set, std::size_t from) {
    return std::min(text.find_first_not_of(set, from), text.size());
}

std::string mask_ranges(std::string_view text, std::vector<range> ranges) {
    std::ranges::sort(ranges, {}, &range::begin);
    std::string out;
    std::size_t copied = 0;
    for (const range& r : ranges) {
        if (r.begin >= copied) out.append(text.substr(copied, r.begin - copied)).append(mask);
        copied = std::max(copied, r.end);
    }
    return out.append(text.substr(copied));
}

// ---- in running text ----

// A quote ends a word unless the word continues after it, as in a password.
bool ends_word(std::string_view text, std::size_t at) {
    if (is_one_of(text[at], whitespace)) return true;
    if (!is_one_of(text[at], quotes)) return false;
    return at + 1 == text.size() || is_one_of(text[at + 1], whitespace) || is_one_of(text[at + 1], ",.;:!?)]}>&\"'");
}

std::size_t end_of_word(std::string_view text, std::size_t at) {
    while (at < text.size() && !ends_word(text, at)) ++at;
    return at;
}

// True when the first ':' is not followed by a port number: a password follows then.
bool has_colon_without_port(std::string_view text) {
    const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;  // of an IPv6 address
    const std::size_t colon = text.find_first_of(":/?#", bracket == npos ? 0 : bracket);
    if (colon == npos || text[colon] != ':') return false;
    const std::size_t end = first_not_of(text, digits, colon + 1);
    if (end == text.size() || is_one_of(text[end], whitespace) || is_one_of(text[end], "/?#")) return false;
    return end == colon + 1 || !is_one_of(text[end], ",;:.!)]}\"'<>");
}

std::size_t next_url_start(std::string_view text, std::size_t from) {
    std::size_t at = text.find("://", from);
    if (at == npos) return text.size();
    while (at > from && (is_word_character(text[at - 1]) || text[at - 1] == '+')) --at;
    return at;
}

// The end of the URL whose "//" ends before `begin`. Handles comma-separated URLs, and passwords that contain a space.
std::size_t end_of_url(std::string_view text, std::size_t begin) {
    const std::size_t end = end_of_word(text, begin);
    const std::string_view url = text.substr(begin, end - begin);
    const std::size_t next = url.find("://");
    if (next != npos) {
        const std::size_t comma = url.rfind(',', next);
        const std::string_view first_url = url.substr(0, comma);
        const bool complete =
            comma != npos && (first_url.find('@') != npos || !has_colon_without_port(text.substr(begin, comma)));
        return complete ? begin + comma : end;
    }
    if (url.find('@') != npos || !has_colon_without_port(text.substr(begin))) return end;
    const std::size_t limit = std::min(text.find_first_of("\r\n", begin), next_url_start(text, end));
    const std::size_t at = text.substr(0, limit).rfind('@');
    return at == npos || at < end ? end : at + 1;
}

void find_passwords(std::string_view text, std::vector<range>& found) {
    for (std::size_t slashes = text.find("//"), done = 0; slashes != npos; slashes = text.find("//", done)) {
        const std::size_t begin = slashes + 2;
        const std::string_view url = text.substr(begin, end_of_url(text, begin) - begin);
        const std::size_t at = url.rfind('@');
        const std::size_t colon = url.find(':');
        const bool has_password = at != npos && colon < at;
        if (has_password) found.push_back({begin + colon + 1, begin + at});
        done = has_password ? begin + at : begin;
    }
}

// ---- NAME=VALUE ----

// The position after the closing quote of the value at `at`; quoted values of libpq have backslash escapes.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') ++i;
        else if (text[i] == text[at]) return i + 1;
    }
    return npos;
}

// The end of a value in running text, either a URL option or a separate word.
std::size_t end_of_value(std::string_view text, std::size_t at, bool is_option) {
    while (at < text.size() && !ends_word(text, at) && !(is_option && is_one_of(text[at], "&#")))
        at += text[at] == '\\' ? 2 : 1;
    return std::min(at, text.size());
}

bool starts_with_name(std::string_view text) {
    const auto end = std::ranges::find_if_not(text, is_word_character);
    const auto size = static_cast<std::size_t>(end - text.begin());
    const std::size_t equals = text.find_first_not_of(whitespace, size);
    return size > 0 && equals != npos && text[equals] == '=';
}

// The end of a value in a text that is a single URL, or keywords and values of libpq.
std::size_t end_of_url_value(std::string_view text, std::size_t at) {
    for (; at < text.size(); ++at) {
        const bool may_end = is_one_of(text[at], whitespace) || is_one_of(text[at], "&;");
        if (may_end && starts_with_name(text.substr(first_not_of(text, whitespace, at + 1)))) return at;
        if (text[at] == '\\') ++at;
    }
    return text.size();
}

// The name before the '='; it may be quoted.
range name_before(std::string_view text, std::size_t equals) {
    std::size_t end = text.substr(0, equals).find_last_not_of(" \t\r\n\f\v\"'");
    end = end == npos ? 0 : end + 1;
    const std::size_t before = text.substr(0, end).find_last_of(" \t\r\n\f\v\"'<>&;?#,");
    return {before == npos ? 0 : before + 1, end};
}

void find_secret_values(std::string_view text, bool is_url, std::vector<range>& found) {
    std::size_t done = 0;
    for (std::size_t equals = text.find('='); equals != npos; equals = text.find('=', equals + 1)) {
        if (equals < done) continue;
        const range name = name_before(text, equals);
        if (!is_secret_name(text.substr(name.begin, name.end - name.begin))) continue;
        const std::size_t begin = first_not_of(text, whitespace, equals + 1);
        const bool quoted = begin < text.size() && is_one_of(text[begin], "\"'");
        const std::size_t closed = quoted ? end_of_quoted(text, begin) : npos;
        const std::size_t from = closed == npos ? begin : closed;
        const bool is_option = name.begin > 0 && is_one_of(text[name.begin - 1], "?&");
        done = is_url ? end_of_url_value(text, from) : end_of_value(text, from, is_option);
        if (done > begin) found.push_back({begin, done});
    }
}

// The position after "scheme://". A ':' before that makes it a part of a password instead.
std::size_t end_of_scheme(std::string_view url) {
    const std::size_t colon = url.find(':');
    return colon != npos && url.substr(colon).starts_with("://") ? colon + 3 : 0;
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

}  // namespace

bool is_secret_name(std::string_view name) {
    const std::string lower = to_lower(percent_decode(name).value_or(std::string(name)));
    const auto contains = [&lower](std::string_view word) { return lower.find(word) != std::string::npos; };
    return std::ranges::any_of(std::initializer_list<std::string_view>{"password", "passwd", "passphrase", "pwd",
                                                                       "secret", "token", "credential"},
                               contains) ||
           (contains("api") && contains("key"));
}

bool is_url_name(std::string_view name) {
    const std::string lower = to_lower(name);
    for (std::string_view remaining = lower; !remaining.empty();) {
        const std::string_view word = remaining.substr(0, remaining.find_first_of("-_"));
        remaining.remove_prefix(std::min(remaining.size(), word.size() + 1));
        for (const std::string_view url_word :
             {"url", "urls", "uri", "uris", "dsn", "dsns", "proxy", "proxies", "upstream", "upstreams"})
            if (word == url_word) return true;
    }
    return false;
}

std::string redacted_text(std::string_view text) {
    std::vector<range> found;
    find_passwords(text, found);
    find_secret_values(text, false, found);
    return mask_ranges(text, std::move(found));
}

std::string redacted_url(std::string_view url) {
    std::vector<range> found;
    const std::size_t colon = url.find(':', end_of_scheme(url));
    std::size_t at = url.rfind('@');
    if (at == npos) at = url.rfind("%40");  // the '@' was encoded too
    const bool is_path = url.starts_with("sqlite:") || url.starts_with("unix:");
    if (at != npos && colon < at && !is_path) found.push_back({colon + 1, at});
    find_secret_values(url, true, found);
    return mask_ranges(url, std::move(found));
}

}  // namespace rondo::codec
