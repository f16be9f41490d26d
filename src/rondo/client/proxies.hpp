// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include <rondo/client/options.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// Throws std::invalid_argument with a sentence when one of them cannot be used.
void check(const client_proxies& proxies);
/// Nothing when the client cannot use it (or there is none).
[[nodiscard]] std::optional<http::url> usable_proxy(const std::string& text);
/// A sentence that says so, without user information.
[[nodiscard]] std::string unusable_proxy_text(const std::string& text);
/// Whether this URL is reached without a proxy.
[[nodiscard]] bool is_excepted(const client_proxies& proxies, const http::url& to) noexcept;
/// The value of Authorization for the user information of a URL.
[[nodiscard]] std::string basic_credentials(const http::url& of);

}  // namespace rondo::detail
