// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/url.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include <fmt/format.h>

#include <rondo/codec/percent.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo {

namespace {

constexpr std::string_view forms =
    "allowed are memory:, memory:NAME, redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT], "
    "rediss://...[?ca=FILE&prefix=TEXT] with TLS and "
    "redis+unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE&prefix=TEXT]";

// What is wrong, without the text: it may hold a password.
[[noreturn]] void refuse(std::string_view why) { throw std::invalid_argument(fmt::format("{}; {}", why, forms)); }

std::string decoded(std::string_view text) {
    auto plain = codec::percent_decode(text);
    if (!plain) refuse("the URL of the channels has a broken percent escape");
    return std::string(*plain);
}

template <class Number>
Number number(std::string_view text, std::string_view what) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        refuse(
            fmt::format("the {} of a Redis server is a number, at most {}", what, std::numeric_limits<Number>::max()));
    return value;
}

// What follows a '?' that a password should have had encoded is not said either.
[[noreturn]] void refuse_option(std::string_view key, bool may_be_password) {
    if (may_be_password)
        refuse("the URL of a Redis server has an unknown option; in a password '?' is written %3F and '@' %40");
    refuse(fmt::format("'{}' is no option of the URL of a Redis server", key));
}

// The part before `mark`, which is taken off; nothing when there is no mark.
std::string_view take_before(std::string_view& text, char mark) {
    const std::size_t at = text.rfind(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view before = text.substr(0, at);
    text.remove_prefix(at + 1);
    return before;
}

void read_query(channels_url& to, std::string_view query) {
    const bool has_at = query.find('@') != std::string_view::npos;
    while (!query.empty()) {
        const std::string_view one = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), one.size() + 1));
        const std::size_t equals = one.find('=');
        const std::string_view value = equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1);
        const std::string_view key = one.substr(0, equals);
        if (key == "prefix") to.prefix = decoded(value);
        else if (key == "db" && !to.path.empty()) to.database = number<unsigned>(value, "database");
        else if (key == "ca" && to.secure) to.ca_file = decoded(value);
        else refuse_option(key, has_at);
    }
}

void read_place(channels_url& to, std::string_view place) {
    const std::size_t slash = place.find('/');
    if (slash != std::string_view::npos && slash + 1 < place.size())
        to.database = number<unsigned>(place.substr(slash + 1), "database");
    place = place.substr(0, slash);
    const std::size_t bracket = place.find(']');  // of an IPv6 address
    const std::size_t colon = place.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) to.port = number<std::uint16_t>(place.substr(colon + 1), "port");
    place = place.substr(0, colon);
    if (place.starts_with('[') && place.ends_with(']')) place = place.substr(1, place.size() - 2);
    if (place.empty()) refuse("the URL of a Redis server names no host");
    to.host = place;
}

void read_redis(channels_url& to, std::string_view rest, bool unix_socket) {
    to.where = channels_url::kind::redis;
    const std::size_t question = rest.find('?');
    const std::string_view query = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
    rest = rest.substr(0, question);
    std::string_view who = take_before(rest, '@');
    const std::size_t colon = who.find(':');
    to.user = decoded(who.substr(0, colon));
    if (colon != std::string_view::npos) to.password = decoded(who.substr(colon + 1));
    if (unix_socket && !rest.starts_with('/')) refuse("the path of a unix socket begins with '/'");
    if (unix_socket) to.path = decoded(rest);
    else read_place(to, rest);
    read_query(to, query);
}

bool good_name(std::string_view name) {
    return name.size() <= 32 && std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

}  // namespace

channels_url channels_url::parse(std::string_view text) {
    channels_url made;
    constexpr std::string_view memory = "memory:", tcp = "redis://", tls = "rediss://", local = "redis+unix://";
    if (text.starts_with(memory)) {
        made.name = text.substr(memory.size());
        if (!good_name(made.name)) refuse("the NAME of memory: has at most 32 letters, digits, '-' and '_'");
    } else if (text.starts_with(tcp)) {
        read_redis(made, text.substr(tcp.size()), false);
    } else if (text.starts_with(tls)) {
        made.secure = true;
        read_redis(made, text.substr(tls.size()), false);
    } else if (text.starts_with(local)) {
        read_redis(made, text.substr(local.size()), true);
    } else {
        refuse(fmt::format("'{}' is no place for channels or a cache",
                           codec::redacted_url(text.substr(0, text.find(':')))));
    }
    return made;
}

std::string channels_url::text() const {
    if (where == kind::memory) return "memory:" + name;
    if (!path.empty()) return fmt::format("redis+unix://{}?db={}", path, database);
    const bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}/{}", secure ? "rediss" : "redis", v6 ? "[" : "", host, v6 ? "]" : "", port,
                       database);
}

}  // namespace rondo
