// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/range.hpp>

#include <algorithm>
#include <limits>
#include <optional>

#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

constexpr std::string_view unit_prefix = "bytes=";

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

enum class spec_result : std::uint8_t { invalid, outside, inside };

// One range-spec: first "-" [ last ] or "-" suffix-length.
spec_result read_range(std::string_view text, std::uint64_t size, byte_range& out) noexcept {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return spec_result::invalid;
    const std::string_view before = text.substr(0, dash);
    const std::string_view after = text.substr(dash + 1);
    const auto first = read_number(before);
    const auto last = read_number(after);
    if ((!first && !before.empty()) || (!last && !after.empty()) || (!first && !last)) return spec_result::invalid;
    if (!first) {
        if (*last == 0 || size == 0) return spec_result::outside;
        out = {size - std::min(*last, size), size - 1};
        return spec_result::inside;
    }
    if (last && *last < *first) return spec_result::invalid;
    if (*first >= size) return spec_result::outside;
    out = {*first, std::min(last.value_or(size - 1), size - 1)};
    return spec_result::inside;
}

// Ranges with a larger total than the representation would cost more to send.
bool is_total_within(const std::vector<byte_range>& ranges, std::uint64_t size) noexcept {
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
    if (!equals_ignore_case(value.substr(0, unit_prefix.size()), unit_prefix)) return out;
    std::size_t specs = 0;
    for (std::string_view remaining = value.substr(unit_prefix.size());;) {
        const std::size_t comma = remaining.find(',');
        const std::string_view spec = trimmed(remaining.substr(0, comma));
        if (!spec.empty()) {
            byte_range range;
            const spec_result result = read_range(spec, size, range);
            if (result == spec_result::invalid || ++specs > max_ranges) return {};
            if (result == spec_result::inside) out.ranges.push_back(range);
        }
        if (comma == std::string_view::npos) break;
        remaining.remove_prefix(comma + 1);
    }
    if (specs == 0 || !is_total_within(out.ranges, size)) return {};
    out.result = out.ranges.empty() ? range_set::outcome::unsatisfiable : range_set::outcome::partial;
    return out;
}

std::string content_range(byte_range range, std::uint64_t size) {
    return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.last) + '/' + std::to_string(size);
}

std::string unsatisfied_range(std::uint64_t size) { return "bytes */" + std::to_string(size); }

}  // namespace rondo::http
