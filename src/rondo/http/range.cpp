// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/range.hpp>

#include <algorithm>
#include <limits>
#include <optional>

#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

constexpr std::string_view unit = "bytes=";

// Parses 1*DIGIT, saturating on overflow. std::nullopt for anything else.
std::optional<std::uint64_t> read_number(std::string_view text) noexcept {
    constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    if (text.empty()) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : text) {
        if (!characters::is(c, characters::digit)) return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        number = number > (max - digit) / 10 ? max : number * 10 + digit;
    }
    return number;
}

enum class reading : std::uint8_t { bad, outside, inside };

// One range-spec: first "-" [ last ] or "-" suffix-length.
reading read_range(std::string_view text, std::uint64_t size, byte_range& out) noexcept {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return reading::bad;
    const std::string_view before = text.substr(0, dash);
    const std::string_view after = text.substr(dash + 1);
    const auto first = read_number(before);
    const auto last = read_number(after);
    if ((!first && !before.empty()) || (!last && !after.empty()) || (!first && !last)) return reading::bad;
    if (!first) {
        if (*last == 0 || size == 0) return reading::outside;
        out = {size - std::min(*last, size), size - 1};
        return reading::inside;
    }
    if (last && *last < *first) return reading::bad;
    if (*first >= size) return reading::outside;
    out = {*first, std::min(last.value_or(size - 1), size - 1)};
    return reading::inside;
}

// Ranges with a larger total than the representation would cost more to send.
bool worth_it(const std::vector<byte_range>& ranges, std::uint64_t size) noexcept {
    std::uint64_t remaining = size;
    for (const byte_range range : ranges) {
        if (range.size() > remaining) return false;
        remaining -= range.size();
    }
    return true;
}

}  // namespace

range_set parse_range(std::string_view value, std::uint64_t size, std::size_t max_ranges) {
    range_set out;
    if (!same_ignoring_case(value.substr(0, unit.size()), unit)) return out;
    std::size_t specs = 0;
    for (std::string_view rest = value.substr(unit.size());;) {
        const std::size_t comma = rest.find(',');
        const std::string_view spec = trimmed(rest.substr(0, comma));
        if (!spec.empty()) {
            byte_range range;
            const reading result = read_range(spec, size, range);
            if (result == reading::bad || ++specs > max_ranges) return {};
            if (result == reading::inside) out.ranges.push_back(range);
        }
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    if (specs == 0 || !worth_it(out.ranges, size)) return {};
    out.what = out.ranges.empty() ? range_set::outcome::unsatisfiable : range_set::outcome::partial;
    return out;
}

std::string content_range(byte_range range, std::uint64_t size) {
    return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.last) + '/' + std::to_string(size);
}

std::string unsatisfied_range(std::uint64_t size) { return "bytes */" + std::to_string(size); }

}  // namespace rondo::http
