// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/proxies.hpp>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/codec/base64.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo {

namespace {

// The value of the first of these variables that is set and not empty.
std::string first_set(const std::function<const char*(const char*)>& lookup, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        const char* value = lookup(name);
        if (value != nullptr && *value != '\0') return value;
    }
    return {};
}

std::string with_scheme(const std::string& proxy) {
    return proxy.empty() || proxy.find("://") != std::string::npos ? proxy : "http://" + proxy;
}

std::string_view without_final_dot(std::string_view name) noexcept {
    return name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
}

std::string_view without_brackets(std::string_view text) noexcept {
    const bool bracketed = text.size() > 2 && text.starts_with('[') && text.ends_with(']');
    return bracketed ? text.substr(1, text.size() - 2) : text;
}

// The IP address that a host stands for, in any spelling ("127.1"); nothing for a name.
std::optional<http::ip_address> address_of(const http::url& to) noexcept {
    const std::string_view host = without_final_dot(to.host);
    if (const auto plain = http::ip_address::parse(host)) return plain;
    char text[64] = "";
    in_addr ipv4{};
    if (host.empty() || host.size() >= sizeof text) return std::nullopt;
    std::ranges::copy(host, text);
    if (::inet_aton(text, &ipv4) == 0) return std::nullopt;
    return http::ip_address::from_ipv4(reinterpret_cast<const std::uint8_t*>(&ipv4));
}

// "10.0.0.0/8", "fd00::/8"; bits after the prefix are ignored.
bool is_in_network(const http::ip_address& host, std::string_view address, std::string_view prefix) noexcept {
    const auto network = http::ip_address::parse(without_brackets(address));
    auto bits = parse_number<unsigned>(prefix);
    if (!network || !bits || network->is_ipv4() != host.is_ipv4()) return false;
    const bool is_ipv4 = address.find(':') == std::string_view::npos;
    if (*bits > (is_ipv4 ? 32U : 128U)) return false;
    if (is_ipv4) *bits += 96;
    for (unsigned i = 0; i < *bits; ++i) {
        const unsigned mask = 0x80U >> (i % 8);
        if ((network->bytes[i / 8] & mask) != (host.bytes[i / 8] & mask)) return false;
    }
    return true;
}

// Removes ":port" from the entry; false when it is another port. An IPv6 address with a port has brackets.
bool consume_port(std::string_view& entry, std::uint16_t port) noexcept {
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos) return true;
    const bool has_port = entry.starts_with('[') ? entry[colon - 1] == ']' : entry.find(':') == colon;
    if (!has_port) return true;
    const std::string_view text = entry.substr(colon + 1);
    entry = entry.substr(0, colon);
    return text.empty() || parse_number<unsigned>(text) == port;
}

bool is_same_or_subdomain(std::string_view host, std::string_view name) noexcept {
    if (name.empty() || name.size() > host.size()) return false;
    if (!http::equals_ignore_case(host.substr(host.size() - name.size()), name)) return false;
    return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

bool matches(std::string_view entry, const http::url& to) noexcept {
    if (entry == "*") return true;
    const auto address = address_of(to);
    if (const std::size_t slash = entry.find('/'); slash != std::string_view::npos)
        return address && is_in_network(*address, entry.substr(0, slash), entry.substr(slash + 1));
    if (!consume_port(entry, to.port)) return false;
    entry = without_final_dot(entry);
    if (address) return http::ip_address::parse(without_brackets(entry)) == address;
    if (entry.starts_with("*.")) entry.remove_prefix(2);
    else if (entry.starts_with('.')) entry.remove_prefix(1);
    return is_same_or_subdomain(without_final_dot(to.host), entry);
}

}  // namespace

client_proxies client_proxies::from_environment(const std::function<const char*(const char* name)>& lookup) {
    client_proxies out;
    const std::string all = first_set(lookup, {"all_proxy", "ALL_PROXY"});
    out.http = with_scheme(first_set(lookup, {"http_proxy"}));
    out.https = with_scheme(first_set(lookup, {"https_proxy", "HTTPS_PROXY"}));
    if (out.http.empty()) out.http = with_scheme(all);
    if (out.https.empty()) out.https = with_scheme(all);
    const std::string list = first_set(lookup, {"no_proxy", "NO_PROXY"});
    for (std::string_view remaining = list; !remaining.empty();) {
        const std::size_t end = std::min(remaining.find_first_of(", \t\r\n"), remaining.size());
        if (end > 0) out.no_proxy.emplace_back(remaining.substr(0, end));
        remaining.remove_prefix(std::min(end + 1, remaining.size()));
    }
    out.validate_on_use = true;
    return out;
}

namespace detail {

std::optional<http::url> usable_proxy(const std::string& text) {
    auto proxy = http::url::parse(text);
    if (!proxy || proxy->is_secure() || proxy->user.find(':') != std::string::npos) return std::nullopt;
    return proxy;
}

std::string unusable_proxy_text(const std::string& text) {
    const std::size_t scheme = text.find("://");
    const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
    const std::size_t at = text.rfind('@');
    const std::string redacted =
        at == std::string::npos || at < begin ? text : text.substr(0, begin) + text.substr(at + 1);
    return fmt::format("invalid proxy '{}'; expected http://HOST:PORT", redacted);
}

void validate_proxies(const client_proxies& proxies) {
    if (proxies.validate_on_use) return;
    for (const std::string& text : {proxies.http, proxies.https})
        if (!text.empty() && !usable_proxy(text)) throw std::invalid_argument(unusable_proxy_text(text));
}

bool bypasses_proxy(const client_proxies& proxies, const http::url& to) noexcept {
    for (const std::string& entry : proxies.no_proxy) {
        if (matches(entry, to)) return true;
    }
    return false;
}

std::string basic_credentials(const http::url& from) {
    return "Basic " + codec::base64_encode(from.user + ':' + from.password);
}

}  // namespace detail
}  // namespace rondo
