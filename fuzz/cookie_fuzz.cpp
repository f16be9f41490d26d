// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <stdexcept>
#include <string>

#include <rondo/http/cookie.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

std::optional<std::string> written(const set_cookie& cookie) {
    try {
        return to_string(cookie);
    } catch (const std::invalid_argument&) {
        return std::nullopt;
    }
}

// An accepted cookie must parse back unchanged and never split the field.
void check_set(const field& pair, std::string_view path) {
    const auto text =
        written({.name = std::string(pair.name), .value = std::string(pair.value), .path = std::string(path)});
    if (!text) return;
    check(is_valid_field_value(*text));
    const field parsed = *cookie_pairs(*text).begin();
    check(parsed.name == pair.name && parsed.value == pair.value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = rondo::fuzz::as_text(data, size);
    std::string_view path = "/";
    for (const field pair : cookie_pairs(text)) {
        check(!pair.name.empty());
        check(rondo::fuzz::is_inside(pair.name, text) && rondo::fuzz::is_inside(pair.value, text));
        check(pair.name.find_first_of("=;") == std::string_view::npos &&
              pair.value.find(';') == std::string_view::npos);
        check_set(pair, path);
        path = pair.value;
    }
    return 0;
}
