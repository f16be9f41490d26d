// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include <rondo/http/accept.hpp>
#include <rondo/http/date.hpp>
#include <rondo/http/etag.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/http/range.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

void check_range(std::string_view text, std::uint64_t size) {
    const range_set set = parse_range(text, size);
    check((set.result == range_set::outcome::partial) == !set.ranges.empty());
    check(set.ranges.size() <= 16);
    std::uint64_t total = 0;
    for (const byte_range range : set.ranges) {
        check(range.first <= range.last && range.last < size);
        total += range.size();
    }
    check(total <= size);
}

void check_date(std::string_view text, unix_seconds now) {
    const auto time = parse_date(text, now);
    if (time) check(parse_date(format_date(*time), now) == time);
    check(parse_date(format_date(now), now).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::uint64_t number = 0;
    if (size < sizeof number) return 0;
    std::memcpy(&number, data, sizeof number);
    const std::string_view text = rondo::fuzz::as_text(data + sizeof number, size - sizeof number);
    check_range(text, number);
    check_range(text, number % 1000);
    check_date(text, static_cast<unix_seconds>(number));
    if (const auto tag = parse_etag(text)) {
        check(rondo::fuzz::is_inside(tag->opaque, text) && etag_list_contains(text, *tag, is_weak_match));
    }
    const int quality = accept_quality(text, "text/html");
    check(quality >= 0 && quality <= 1000);
    if (const auto type = parse_media_type(text)) check(type->essence.find('/') != std::string::npos);
    check(!media_type_for(text).empty());
    return 0;
}
