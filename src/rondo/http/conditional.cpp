// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/conditional.hpp>

#include <rondo/http/etag.hpp>

namespace rondo::http {
namespace {

using comparison = bool (*)(entity_tag, entity_tag);

// Returns whether one of the lines matches the representation.
bool matches_representation(const fields_view& request, std::string_view field_name, const validators& current,
                            comparison matches) noexcept {
    const auto tag = parse_etag(current.etag);
    for (const std::string_view list : request.find_all(field_name)) {
        if (trimmed(list) == "*") return current.exists;
        if (tag && current.exists && etag_list_contains(list, *tag, matches)) return true;
    }
    return false;
}

// The date of a field; none when it is invalid or repeated, which counts as absent.
std::optional<unix_seconds> date_field(const fields_view& request, std::string_view name, unix_seconds now) noexcept {
    const auto value = request.find(name);
    return value && request.count(name) == 1 ? parse_date(*value, now) : std::nullopt;
}

}  // namespace

precondition evaluate(method m, const fields_view& request, const validators& current, unix_seconds now) noexcept {
    if (request.contains("if-match")) {
        if (!matches_representation(request, "if-match", current, is_strong_match)) return precondition::failed;
    } else if (const auto date = date_field(request, "if-unmodified-since", now); date && current.last_modified) {
        if (*current.last_modified > *date) return precondition::failed;
    }
    const bool is_read = m == method::get || m == method::head;
    if (request.contains("if-none-match")) {
        if (!matches_representation(request, "if-none-match", current, is_weak_match)) return precondition::proceed;
        return is_read ? precondition::not_modified : precondition::failed;
    }
    const auto date = is_read ? date_field(request, "if-modified-since", now) : std::nullopt;
    return date && current.last_modified && *current.last_modified <= *date ? precondition::not_modified
                                                                            : precondition::proceed;
}

bool range_applies(const fields_view& request, const validators& current, unix_seconds now) noexcept {
    const auto value = request.find("if-range");
    if (!value) return true;
    if (request.count("if-range") != 1) return false;
    if (const auto requested = parse_etag(*value)) {
        const auto tag = parse_etag(current.etag);
        return tag && is_strong_match(*requested, *tag);
    }
    // A date is a strong validator only when it equals the one sent before, so it must match exactly.
    const auto date = parse_date(*value, now);
    return date && current.last_modified && *date == *current.last_modified;
}

}  // namespace rondo::http
