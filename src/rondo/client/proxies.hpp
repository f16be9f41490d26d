// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/client/options.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// Throws std::invalid_argument with a sentence when one of them cannot be used.
void check(const client_proxies& proxies);
/// Whether this URL is reached without a proxy.
[[nodiscard]] bool is_excepted(const client_proxies& proxies, const http::url& to) noexcept;
/// The value of Authorization for the user information of a URL.
[[nodiscard]] std::string basic_credentials(const http::url& of);

}  // namespace rondo::detail
