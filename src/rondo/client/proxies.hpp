// SPDX-License-Identifier: Apache-2.0
// Proxy URLs of the HTTP client and the hosts that bypass them.
#pragma once

#include <optional>
#include <string>

#include <rondo/client/options.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// Throws std::invalid_argument with a message for users when one of the proxies is invalid.
void validate_proxies(const client_proxies& proxies);
/// Parses a proxy URL; nothing when it is empty or invalid.
[[nodiscard]] std::optional<http::url> usable_proxy(const std::string& text);
/// The message for an invalid proxy, without user information.
[[nodiscard]] std::string unusable_proxy_text(const std::string& text);
/// Whether requests to this URL bypass the proxy.
[[nodiscard]] bool bypasses_proxy(const client_proxies& proxies, const http::url& to) noexcept;
/// The value of Authorization for the user information of a URL.
[[nodiscard]] std::string basic_credentials(const http::url& from);

}  // namespace rondo::detail
