// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/proxies.hpp>

#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include <rondo/codec/base64.hpp>
#include <rondo/http/fields.hpp>

namespace rondo {

namespace {

// The first of these variables that says something.
std::string first_of(const std::function<const char*(const char*)>& lookup, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        const char* value = lookup(name);
        if (value != nullptr && *value != '\0') return value;
    }
    return {};
}

std::string with_scheme(const std::string& proxy) {
    return proxy.empty() || proxy.find("://") != std::string::npos ? proxy : "http://" + proxy;
}

bool matches(std::string_view entry, const http::url& to) noexcept {
    if (entry == "*") return true;
    if (const std::size_t colon = entry.rfind(':'); colon != std::string_view::npos && entry.find(':') == colon) {
        if (entry.substr(colon + 1) != std::to_string(to.port)) return false;
        entry = entry.substr(0, colon);
    }
    if (entry.starts_with("*.")) entry.remove_prefix(2);
    else if (entry.starts_with('.')) entry.remove_prefix(1);
    const std::string_view host = to.host;
    if (entry.empty() || entry.size() > host.size()) return false;
    if (!http::same_ignoring_case(host.substr(host.size() - entry.size()), entry)) return false;
    return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

}  // namespace

client_proxies client_proxies::from(const std::function<const char*(const char* name)>& lookup) {
    client_proxies out;
    const std::string all = first_of(lookup, {"all_proxy", "ALL_PROXY"});
    out.http = with_scheme(first_of(lookup, {"http_proxy"}));
    out.https = with_scheme(first_of(lookup, {"https_proxy", "HTTPS_PROXY"}));
    if (out.http.empty()) out.http = with_scheme(all);
    if (out.https.empty()) out.https = with_scheme(all);
    const std::string list = first_of(lookup, {"no_proxy", "NO_PROXY"});
    for (std::string_view rest = list; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view entry = http::trimmed(rest.substr(0, comma));
        if (!entry.empty()) out.except.emplace_back(entry);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return out;
}

namespace detail {

void check(const client_proxies& proxies) {
    for (const std::string& text : {proxies.http, proxies.https}) {
        if (text.empty()) continue;
        const auto proxy = http::url::parse(text);
        if (!proxy || proxy->secure())
            throw std::invalid_argument(fmt::format("'{}' is no proxy: http://HOST:PORT is", text));
    }
}

bool is_excepted(const client_proxies& proxies, const http::url& to) noexcept {
    for (const std::string& entry : proxies.except) {
        if (matches(entry, to)) return true;
    }
    return false;
}

std::string basic_credentials(const http::url& of) {
    return "Basic " + codec::base64_encode(of.user + ':' + of.password);
}

}  // namespace detail
}  // namespace rondo
