// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/url.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/codec/percent.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo {

namespace {

constexpr std::string_view expected_forms =
    "expected memory:, memory:NAME, redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT], "
    "rediss://...[?ca=FILE&prefix=TEXT] with TLS, or "
    "redis+unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE&prefix=TEXT]";

// `why` must not contain the URL, which may contain a password.
[[noreturn]] void refuse(std::string_view why) {
    throw std::invalid_argument(fmt::format("{}; {}", why, expected_forms));
}

std::string decoded(std::string_view text) {
    auto plain = codec::percent_decode(text);
    if (!plain) refuse("invalid percent escape in the URL");
    return std::string(*plain);
}

template <class Number>
Number parse_url_number(std::string_view text, std::string_view part) {
    const std::optional<Number> value = parse_number<Number>(text);
    if (!value)
        refuse(fmt::format("the {} of the Redis server must be a number, at most {}", part,
                           std::numeric_limits<Number>::max()));
    return *value;
}

// Does not quote an option that may be part of a password with an unencoded '?'.
[[noreturn]] void refuse_option(std::string_view key, bool may_be_password) {
    if (may_be_password) refuse("unknown option in the Redis URL; in a password, write '?' as %3F and '@' as %40");
    refuse(fmt::format("unknown option '{}' in the Redis URL", key));
}

// Removes and returns the part before the last `separator`; empty when there is none.
std::string_view split_before_last(std::string_view& text, char separator) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) return {};
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + 1);
    return before;
}

void parse_query(channels_url& to, std::string_view query) {
    const bool has_at = query.find('@') != std::string_view::npos;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        const std::string_view key = pair.substr(0, equals);
        if (key == "prefix") to.prefix = decoded(value);
        else if (key == "db" && !to.path.empty()) to.database = parse_url_number<unsigned>(value, "database");
        else if (key == "ca" && to.secure) to.ca_file = decoded(value);
        else refuse_option(key, has_at);
    }
}

void parse_location(channels_url& to, std::string_view location) {
    const std::size_t slash = location.find('/');
    if (slash != std::string_view::npos && slash + 1 < location.size())
        to.database = parse_url_number<unsigned>(location.substr(slash + 1), "database");
    location = location.substr(0, slash);
    const std::size_t bracket = location.find(']');  // of an IPv6 address
    const std::size_t colon = location.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) to.port = parse_url_number<std::uint16_t>(location.substr(colon + 1), "port");
    location = location.substr(0, colon);
    if (location.starts_with('[') && location.ends_with(']')) location = location.substr(1, location.size() - 2);
    if (location.empty()) refuse("missing host in the Redis URL");
    to.host = location;
}

void parse_redis(channels_url& to, std::string_view remaining, bool unix_socket) {
    to.backend = channels_url::kind::redis;
    const std::size_t question = remaining.find('?');
    const std::string_view query =
        question == std::string_view::npos ? std::string_view() : remaining.substr(question + 1);
    remaining = remaining.substr(0, question);
    std::string_view user_info = split_before_last(remaining, '@');
    const std::size_t colon = user_info.find(':');
    to.user = decoded(user_info.substr(0, colon));
    if (colon != std::string_view::npos) to.password = decoded(user_info.substr(colon + 1));
    if (unix_socket && !remaining.starts_with('/')) refuse("the unix socket path must start with '/'");
    if (unix_socket) to.path = decoded(remaining);
    else parse_location(to, remaining);
    parse_query(to, query);
}

bool is_valid_name(std::string_view name) {
    return name.size() <= 32 && std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

}  // namespace

channels_url channels_url::parse(std::string_view text) {
    channels_url url;
    constexpr std::string_view memory = "memory:", tcp = "redis://", tls = "rediss://", local = "redis+unix://";
    if (text.starts_with(memory)) {
        url.name = text.substr(memory.size());
        if (!is_valid_name(url.name))
            refuse("invalid NAME in memory:NAME: must have at most 32 letters, digits, '-' or '_'");
    } else if (text.starts_with(tcp)) {
        parse_redis(url, text.substr(tcp.size()), false);
    } else if (text.starts_with(tls)) {
        url.secure = true;
        parse_redis(url, text.substr(tls.size()), false);
    } else if (text.starts_with(local)) {
        parse_redis(url, text.substr(local.size()), true);
    } else {
        refuse(fmt::format("unsupported scheme '{}'", codec::redacted_url(text.substr(0, text.find(':')))));
    }
    return url;
}

std::string channels_url::text() const {
    if (backend == kind::memory) return "memory:" + name;
    if (!path.empty()) return fmt::format("redis+unix://{}?db={}", path, database);
    const bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}/{}", secure ? "rediss" : "redis", v6 ? "[" : "", host, v6 ? "]" : "", port,
                       database);
}

}  // namespace rondo
