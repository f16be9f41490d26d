// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/proxy_fields.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include <rondo/http/forwarding.hpp>

namespace rondo::detail {

namespace {

using http::same_ignoring_case;

bool is_hop_by_hop(std::string_view name) noexcept {
    return http::is_connection_field(name) || same_ignoring_case(name, "Proxy-Authorization") ||
           same_ignoring_case(name, "Proxy-Authenticate") || same_ignoring_case(name, "Proxy-Authentication-Info") ||
           same_ignoring_case(name, "HTTP2-Settings");
}

// Fields that this proxy writes or handles itself, and "Proxy", which CGI maps to the variable HTTP_PROXY.
bool is_own(std::string_view name) noexcept {
    constexpr std::array names = {"Host", "Expect", "Forwarded", "Via", "Max-Forwards", "X-Real-IP", "Proxy"};
    constexpr std::string_view prefix = "X-Forwarded-";
    return same_ignoring_case(name.substr(0, prefix.size()), prefix) ||
           std::ranges::any_of(names, [name](const char* other) { return same_ignoring_case(name, other); });
}

// CGI, WSGI and similar interfaces map "X-Forwarded-For" and "X_Forwarded_For" to the same variable.
bool looks_like_another(std::string_view name) {
    if (name.find('_') == std::string_view::npos) return false;
    std::string dashed(name);
    std::ranges::replace(dashed, '_', '-');
    return is_own(dashed) || is_hop_by_hop(dashed);
}

std::string joined(std::string list, std::string_view more) {
    if (!list.empty()) list += ", ";
    return list += more;
}

std::string list_of(const http::fields_view& all, std::string_view name) {
    std::string list;
    for (const std::string_view value : all.all(name)) list = joined(std::move(list), value);
    return list;
}

std::string_view sender_of(const request& req) {
    handler::connection_info* const connection = req.received().connection;
    return connection != nullptr ? connection->sender_address() : std::string_view();
}

std::string forwarded_element(const request& req) {
    std::string element = "for=" + http::forwarded_node(sender_of(req));
    // Many parsers split at a ';' even within quotes, so a host that contains one is omitted.
    const bool plain = !req.host().empty() && req.host().find(';') == std::string_view::npos;
    if (plain) element += fmt::format(";host=\"{}\"", req.host());
    return element += fmt::format(";proto={}", req.scheme());
}

// Decrements Max-Forwards (RFC 9110 section 7.6.2), which only OPTIONS and TRACE have.
void pass_max_forwards(const request& from, client_request& to) {
    const auto value = from.method() == http::method::options ? from.field("Max-Forwards") : std::nullopt;
    std::uint32_t hops = 0;
    if (!value || std::from_chars(value->data(), value->data() + value->size(), hops).ec != std::errc{}) return;
    to.field("Max-Forwards", std::to_string(hops == 0 ? 0 : hops - 1));
}

}  // namespace

bool passes_on(const http::fields_view& all, std::string_view name) noexcept {
    return !is_hop_by_hop(name) && !all.contains_token("Connection", name);
}

void pass_request_fields(request& from, const std::string& via, client_request& to) {
    const http::fields_view& all = from.fields();
    for (const http::field line : all) {
        if (passes_on(all, line.name) && !is_own(line.name) && !looks_like_another(line.name))
            to.field(line.name, line.value);
    }
    pass_max_forwards(from, to);
    const std::string sender = http::forwarded_for_node(sender_of(from));
    to.field("X-Forwarded-For", joined(http::checked_forwarded_for(all), sender));
    if (!from.host().empty()) to.field("X-Forwarded-Host", from.host());
    to.field("X-Forwarded-Proto", from.scheme());
    to.field("Forwarded", joined(http::checked_forwarded(all), forwarded_element(from)));
    to.field("Via", joined(list_of(all, "Via"), via));
}

std::size_t times_passed(const http::fields_view& fields, std::string_view via) {
    std::size_t times = 0;
    const std::string list = list_of(fields, "Via");
    for (std::string_view rest = list; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        times += http::trimmed(rest.substr(0, comma)) == via ? 1 : 0;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return times;
}

}  // namespace rondo::detail
