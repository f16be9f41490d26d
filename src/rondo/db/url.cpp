// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/url.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace rondo::db {

namespace {
constexpr const char* forms = "postgres://user:password@host:5432/name, sqlite:path/to/file.db or sqlite::memory:";

// password=... and sslpassword=... among the options.
std::string without_secrets(std::string_view url) {
    constexpr std::string_view name = "password=";
    std::string shown;
    for (;;) {
        const std::size_t at = url.find(name);
        if (at == std::string_view::npos) return shown.append(url);
        shown.append(url.substr(0, at + name.size())).append("***");
        url.remove_prefix(std::min(url.size(), url.find('&', at)));
    }
}

}  // namespace

location parse_url(std::string_view url) {
    const std::size_t colon = url.find(':');
    const std::string_view scheme = url.substr(0, colon == std::string_view::npos ? 0 : colon);
    if (url.empty()) throw std::invalid_argument(fmt::format("the database URL is empty: write {}", forms));
    if (scheme == "postgres" || scheme == "postgresql") {
        if (!url.substr(colon).starts_with("://"))
            throw std::invalid_argument(
                fmt::format("the database URL '{}' has no '//' after its scheme: write {}", shown_url(url), forms));
        return {kind::postgres, std::string(url)};
    }
    if (scheme != "sqlite") {
        throw std::invalid_argument(
            fmt::format("the database URL '{}' begins with none of the databases there are: "
                        "write {}",
                        shown_url(url), forms));
    }
    std::string_view path = url.substr(colon + 1);
    if (path.starts_with("//")) path.remove_prefix(2);
    if (path.empty())
        throw std::invalid_argument(fmt::format("the database URL '{}' names no file: write {}", url, forms));
    return {kind::sqlite, std::string(path)};
}

std::string shown_url(std::string_view url) {
    const std::size_t at = url.rfind('@');
    const std::size_t slashes = url.find("://");
    if (slashes == std::string_view::npos) return std::string(url);
    const std::size_t colon = url.find(':', slashes + 3);
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) return without_secrets(url);
    return fmt::format("{}:***{}", url.substr(0, colon), without_secrets(url.substr(at)));
}

}  // namespace rondo::db
