// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/http/path_and_query.hpp>
#include <rondo/http/urlencoded_form.hpp>

#include "check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rondo::http;
    using rondo::fuzz::check;
    const std::string_view text = rondo::fuzz::as_text(data, size);
    const auto pairs = parse_urlencoded(text, {.pairs = 50});
    if (!pairs) return 0;
    check(pairs->size() <= 50);
    std::string encoded;
    for (const query_pair& pair : *pairs) append_query_pair(encoded, pair.name, pair.value);
    check(parse_urlencoded(encoded, {.pairs = 50}) == pairs);
    for (const query_pair& pair : *pairs) check(query_pairs(text).find(pair.name).has_value());
    return 0;
}
