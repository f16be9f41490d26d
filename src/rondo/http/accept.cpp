// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/accept.hpp>

#include <algorithm>
#include <optional>

#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

constexpr int max_quality = 1000;

// qvalue: "0" [ "." 0*3DIGIT ] or "1" [ "." 0*3"0" ], in thousandths.
std::optional<int> read_quality(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
    if (text.size() > 1 && text[1] != '.') return std::nullopt;
    int value = (text[0] - '0') * max_quality;
    int unit = 100;
    for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (!characters::is(c, characters::digit)) return std::nullopt;
        value += (c - '0') * unit;
        unit /= 10;
    }
    return value > max_quality ? std::nullopt : std::optional(value);
}

// One element of the list.
struct preference {
    std::string_view name;
    int quality = max_quality;
};

std::optional<preference> read_preference(std::string_view element) noexcept {
    std::size_t semicolon = element.find(';');
    preference out{trimmed(element.substr(0, semicolon))};
    while (semicolon != std::string_view::npos) {
        element.remove_prefix(semicolon + 1);
        semicolon = element.find(';');
        const std::string_view part = trimmed(element.substr(0, semicolon));
        if (part.size() < 2 || !equals_ignore_case(part.substr(0, 2), "q=")) continue;
        const auto quality = read_quality(part.substr(2));
        if (!quality) return std::nullopt;
        out.quality = *quality;
    }
    return out.name.empty() ? std::nullopt : std::optional(out);
}

// The quality of the element that `rank` gives the highest positive rank; none when no rank is positive.
template <class Rank>
std::optional<int> quality_of_best_match(std::string_view list, Rank rank) noexcept {
    std::optional<int> quality;
    int best = 0;
    for (;;) {
        const std::size_t comma = list.find(',');
        if (const auto element = read_preference(list.substr(0, comma))) {
            const int value = rank(element->name);
            if (value > best) {
                best = value;
                quality = element->quality;
            }
        }
        if (comma == std::string_view::npos) return quality;
        list.remove_prefix(comma + 1);
    }
}

}  // namespace

int accept_quality(std::string_view accept, std::string_view type) noexcept {
    if (trimmed(accept).empty()) return max_quality;
    const std::string_view main_type = type.substr(0, type.find('/'));
    const auto rank = [&](std::string_view range) {
        if (equals_ignore_case(range, type)) return 3;
        if (range == "*/*") return 1;
        const std::size_t slash = range.find('/');
        if (slash == std::string_view::npos || range.substr(slash) != "/*") return 0;
        return equals_ignore_case(range.substr(0, slash), main_type) ? 2 : 0;
    };
    return quality_of_best_match(accept, rank).value_or(0);
}

int token_quality(std::string_view list, std::string_view token) noexcept {
    const auto rank = [token](std::string_view name) {
        return equals_ignore_case(name, token) ? 2 : name == "*" ? 1 : 0;
    };
    return quality_of_best_match(list, rank).value_or(0);
}

std::size_t best_offer(std::string_view accept, std::span<const std::string_view> offers) noexcept {
    std::size_t best = offers.size();
    int highest = 0;
    for (std::size_t i = 0; i < offers.size(); ++i) {
        const int quality = accept_quality(accept, offers[i].substr(0, offers[i].find(';')));
        if (quality > highest) {
            highest = quality;
            best = i;
        }
    }
    return best;
}

}  // namespace rondo::http
