// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/base/utf8.hpp>
#include <rondo/codec/base64.hpp>
#include <rondo/codec/json.hpp>

#include "check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rondo::codec;
    using rondo::fuzz::check;
    const std::string_view text = rondo::fuzz::as_text(data, size);
    if (const auto value = parse_json(text)) {
        const std::string written = to_string(*value);
        const auto reparsed = parse_json(written);
        check(reparsed && *reparsed == *value && to_string(*reparsed) == written);
    }
    std::string quoted;
    append_json_string(quoted, text);
    const auto parsed = parse_json(quoted);
    check(parsed && parsed->is_string());
    check(!rondo::is_valid_utf8(text) || parsed->as_string() == text);
    check(base64_decode(base64_encode(text)) == text && base64url_decode(base64url_encode(text)) == text);
    if (const auto bytes = base64_decode(text)) check(base64_encode(*bytes) == text);
    if (const auto bytes = base64url_decode(text)) check(base64url_encode(*bytes) == text);
    return 0;
}
