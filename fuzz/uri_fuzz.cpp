// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/codec/percent.hpp>
#include <rondo/http/authority.hpp>
#include <rondo/http/path_and_query.hpp>

#include "check.hpp"

namespace {

using namespace rondo;
using rondo::fuzz::check;

void check_dots(std::string_view path) {
    const std::string clean = http::remove_dot_segments(path);
    check(clean.size() <= path.size());
    check(http::remove_dot_segments(clean) == clean);
    check(path.starts_with('/') == clean.starts_with('/') || !path.starts_with('/'));
    const std::string framed = "/" + clean + "/";
    check(framed.find("/../") == std::string::npos && framed.find("/./") == std::string::npos);
}

void check_normalizations(std::string_view path) {
    const unsigned normalizations = http::normalizations_of(path);
    if (normalizations == 0) check(http::normalize_path(path, http::all_path_normalizations) == path);
    const std::string plain = http::normalize_path(path, http::all_path_normalizations);
    check(http::normalizations_of(plain) == 0 || plain.find('%') != std::string::npos);
    check(http::normalize_path(path, 0) == path);
}

void check_percent(std::string_view text) {
    check(codec::percent_decode(codec::percent_encode(text)) == text);
    check(codec::percent_decode(codec::percent_encode(text, codec::percent_set::path)) == text);
    if (const auto decoded = http::decode_path(text)) check(decoded->find('\0') == std::string::npos);
}

void check_authority(std::string_view text) {
    const auto parsed = http::parse_authority(text);
    if (!parsed) return;
    check(!parsed->host.empty() && fuzz::is_inside(parsed->host, text));
    std::string written(parsed->host);
    if (parsed->port) written += ":" + std::to_string(*parsed->port);
    const auto second = http::parse_authority(written);
    check(second && second->host == parsed->host && second->port == parsed->port);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::as_text(data, size);
    check_dots(text);
    check_normalizations(text);
    check_percent(text);
    check_authority(text);
    return 0;
}
