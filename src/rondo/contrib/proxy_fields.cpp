// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/proxy_fields.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include <rondo/http/sanitized_forwarded.hpp>

namespace rondo::detail {

namespace {

using http::equals_ignore_case;

bool is_hop_by_hop(std::string_view name) noexcept {
    return http::is_connection_field(name) || equals_ignore_case(name, "Proxy-Authorization") ||
           equals_ignore_case(name, "Proxy-Authenticate") || equals_ignore_case(name, "Proxy-Authentication-Info") ||
           equals_ignore_case(name, "HTTP2-Settings");
}

// Fields that this proxy writes or handles itself, and "Proxy", which CGI maps to the variable HTTP_PROXY.
bool is_written_by_proxy(std::string_view name) noexcept {
    constexpr std::array names = {"Host", "Expect", "Forwarded", "Via", "Max-Forwards", "X-Real-IP", "Proxy"};
    constexpr std::string_view prefix = "X-Forwarded-";
    return equals_ignore_case(name.substr(0, prefix.size()), prefix) ||
           std::ranges::any_of(names, [name](const char* other) { return equals_ignore_case(name, other); });
}

// CGI, WSGI and similar interfaces map "X-Forwarded-For" and "X_Forwarded_For" to the same variable.
bool is_underscore_alias(std::string_view name) {
    if (name.find('_') == std::string_view::npos) return false;
    std::string dashed(name);
    std::ranges::replace(dashed, '_', '-');
    return is_written_by_proxy(dashed) || is_hop_by_hop(dashed);
}

std::string append_to_list(std::string list, std::string_view more) {
    if (!list.empty()) list += ", ";
    return list += more;
}

std::string combined_value(const http::fields_view& fields, std::string_view name) {
    std::string list;
    for (const std::string_view value : fields.find_all(name)) list = append_to_list(std::move(list), value);
    return list;
}

std::string_view sender_address(const request& req) {
    handler::connection_info* const connection = req.server_request().connection;
    return connection != nullptr ? connection->direct_peer_address() : std::string_view();
}

std::string forwarded_element(const request& req) {
    std::string element = "for=" + http::forwarded_node(sender_address(req));
    // Many parsers split at a ';' even within quotes, so a host that contains one is omitted.
    const bool plain = !req.host().empty() && req.host().find(';') == std::string_view::npos;
    if (plain) element += fmt::format(";host=\"{}\"", req.host());
    return element += fmt::format(";proto={}", req.scheme());
}

// Decrements Max-Forwards (RFC 9110 section 7.6.2), which only OPTIONS and TRACE have.
void forward_max_forwards(const request& from, client_request& to) {
    const auto value = from.method() == http::method::options ? from.field("Max-Forwards") : std::nullopt;
    std::uint32_t hops = 0;
    if (!value || std::from_chars(value->data(), value->data() + value->size(), hops).ec != std::errc{}) return;
    to.field("Max-Forwards", std::to_string(hops == 0 ? 0 : hops - 1));
}

}  // namespace

bool is_end_to_end(const http::fields_view& fields, std::string_view name) noexcept {
    return !is_hop_by_hop(name) && !fields.contains_token("Connection", name);
}

void forward_request_fields(request& from, const std::string& via, client_request& to) {
    const http::fields_view& fields = from.fields();
    for (const http::field line : fields) {
        if (is_end_to_end(fields, line.name) && !is_written_by_proxy(line.name) && !is_underscore_alias(line.name))
            to.field(line.name, line.value);
    }
    forward_max_forwards(from, to);
    const std::string sender = http::forwarded_for_node(sender_address(from));
    to.field("X-Forwarded-For", append_to_list(http::sanitized_forwarded_for(fields), sender));
    if (!from.host().empty()) to.field("X-Forwarded-Host", from.host());
    to.field("X-Forwarded-Proto", from.scheme());
    to.field("Forwarded", append_to_list(http::sanitized_forwarded(fields), forwarded_element(from)));
    to.field("Via", append_to_list(combined_value(fields, "Via"), via));
}

std::size_t count_in_via(const http::fields_view& fields, std::string_view via) {
    std::size_t count = 0;
    const std::string list = combined_value(fields, "Via");
    for (std::string_view remaining = list; !remaining.empty();) {
        const std::size_t comma = std::min(remaining.find(','), remaining.size());
        count += http::trimmed(remaining.substr(0, comma)) == via ? 1 : 0;
        remaining.remove_prefix(std::min(comma + 1, remaining.size()));
    }
    return count;
}

}  // namespace rondo::detail
