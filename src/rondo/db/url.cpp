// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/url.hpp>

#include <stdexcept>

#include <fmt/format.h>

#include <rondo/codec/redact.hpp>

namespace rondo::db {

namespace {
constexpr const char* url_forms = "postgres://user:password@host:5432/name, sqlite:path/to/file.db or sqlite::memory:";

}  // namespace

database_location parse_url(std::string_view url) {
    const std::size_t colon = url.find(':');
    const std::string_view scheme = url.substr(0, colon == std::string_view::npos ? 0 : colon);
    if (url.empty()) throw std::invalid_argument(fmt::format("empty database URL; expected {}", url_forms));
    if (scheme == "postgres" || scheme == "postgresql") {
        if (!url.substr(colon).starts_with("://"))
            throw std::invalid_argument(fmt::format("invalid database URL '{}': no '//' after the scheme; expected {}",
                                                    redacted_url(url), url_forms));
        return {database_kind::postgres, std::string(url)};
    }
    if (scheme != "sqlite") {
        throw std::invalid_argument(
            fmt::format("invalid database URL '{}': unknown scheme; expected {}", redacted_url(url), url_forms));
    }
    std::string_view path = url.substr(colon + 1);
    if (path.starts_with("//")) path.remove_prefix(2);
    if (path.empty())
        throw std::invalid_argument(
            fmt::format("invalid database URL '{}': no file name; expected {}", redacted_url(url), url_forms));
    return {database_kind::sqlite, std::string(path)};
}

std::string redacted_url(std::string_view url) { return codec::redacted_url(url); }

}  // namespace rondo::db
