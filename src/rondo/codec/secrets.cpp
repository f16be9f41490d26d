// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/secrets.hpp>

#include <algorithm>

#include <rondo/codec/percent.hpp>

namespace rondo::codec {

namespace {

constexpr std::string_view hidden = "***";
constexpr std::string_view ends_of_url = " \t\r\n\"'<>";
constexpr std::string_view ends_of_value = " \t\r\n\"'<>&;#,";

// Of the URL whose "://" ends before `begin`; several may stand in a list.
std::size_t end_of_url(std::string_view text, std::size_t begin) {
    const std::size_t end = std::min(text.find_first_of(ends_of_url, begin), text.size());
    const std::size_t next = text.substr(0, end).find("://", begin);
    if (next == std::string_view::npos) return end;
    const std::size_t comma = text.rfind(',', next);
    return comma == std::string_view::npos || comma < begin ? end : comma;
}

std::string without_user_information(std::string_view text) {
    std::string out;
    std::size_t done = 0;
    for (std::size_t mark = text.find("://"); mark != std::string_view::npos; mark = text.find("://", done)) {
        const std::size_t begin = mark + 3;
        const std::string_view rest = text.substr(begin, end_of_url(text, begin) - begin);
        const std::size_t at = rest.rfind('@');
        const std::size_t colon = rest.find(':');
        if (at != std::string_view::npos && colon < at) {
            out.append(text.substr(done, begin + colon + 1 - done)).append(hidden);
            done = begin + at;
        } else {
            out.append(text.substr(done, begin - done));
            done = begin;
        }
    }
    return out.append(text.substr(done));
}

std::string without_values(std::string_view text) {
    std::string out;
    std::size_t done = 0;
    for (std::size_t equals = text.find('='); equals != std::string_view::npos; equals = text.find('=', equals + 1)) {
        if (equals < done) continue;
        const std::size_t before = text.substr(0, equals).find_last_of(" \t\r\n\"'<>&;?#,");
        const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
        if (!names_secret(text.substr(begin, equals - begin))) continue;
        const std::size_t end = std::min(text.find_first_of(ends_of_value, equals + 1), text.size());
        if (end == equals + 1) continue;
        out.append(text.substr(done, equals + 1 - done)).append(hidden);
        done = end;
    }
    return out.append(text.substr(done));
}

}  // namespace

bool names_secret(std::string_view name) {
    std::string small(percent_decode(name).value_or(std::string(name)));
    for (char& c : small)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const auto holds = [&small](std::string_view word) { return small.find(word) != std::string::npos; };
    return std::ranges::any_of(std::initializer_list<std::string_view>{"password", "passwd", "passphrase", "pwd",
                                                                       "secret", "token", "credential"},
                               holds) ||
           (holds("api") && holds("key"));
}

std::string without_secrets(std::string_view text) { return without_values(without_user_information(text)); }

}  // namespace rondo::codec
