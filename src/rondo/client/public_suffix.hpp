// SPDX-License-Identifier: Apache-2.0
// Which domains belong to one owner: the public suffix list (https://publicsuffix.org).
#pragma once

#include <string>
#include <string_view>

namespace rondo::detail {

/// Reads the list of the system, or that which the library for it brings along, unless it was read before.
void load_public_suffixes();

/// Whether anybody can get a domain below this one ("com", "co.uk", "github.io"), so that nothing may be shared by all
/// of them. Without a list this is true of every domain.
[[nodiscard]] bool is_public_suffix(const std::string& domain);

/// What one owner has: the public suffix of a host and the label before it ("a.b.example.co.uk": "example.co.uk"); the
/// host itself when it is a public suffix or numeric. Leading dots are ignored (".example.com": "example.com").
[[nodiscard]] std::string site_of(const std::string& host);

/// Whether a host is an address in any spelling that the system takes for one ("127.1", "0x7f000001", "::1").
[[nodiscard]] bool is_numeric_host(std::string_view host) noexcept;

}  // namespace rondo::detail
