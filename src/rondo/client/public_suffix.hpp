// SPDX-License-Identifier: Apache-2.0
// Looks up which domains belong to one owner: the public suffix list (https://publicsuffix.org).
#pragma once

#include <string>
#include <string_view>

namespace rondo::detail {

/// Loads the list of the system, or the one built into libpsl, unless it is loaded already.
void load_public_suffixes();

/// Whether different owners can register domains below this one ("com", "co.uk", "github.io"), so that they must not
/// share cookies. Without a list, true for every domain.
[[nodiscard]] bool is_public_suffix(const std::string& domain);

/// The registrable domain of a host: its public suffix and the label before it ("a.b.example.co.uk": "example.co.uk");
/// the host itself when it is a public suffix or numeric. Ignores leading dots (".example.com": "example.com").
[[nodiscard]] std::string site_of(const std::string& host);

/// Whether a host is an IP address in any spelling that the system accepts ("127.1", "0x7f000001", "::1").
[[nodiscard]] bool is_numeric_host(std::string_view host) noexcept;

}  // namespace rondo::detail
