// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo::http {

/// Which fields of a trusted proxy are read.
enum class forwarded_fields : std::uint8_t {
    automatic,    ///< X-Forwarded-For, -Proto and -Host when there is one of them, else Forwarded
    x_forwarded,  ///< only X-Forwarded-For, -Proto and -Host
    forwarded,    ///< only Forwarded (RFC 7239)
};

/// What proxies say of the client's side of a request. Empty parts are not known. Views into the fields.
struct forwarded {
    std::optional<ip_address> client;
    std::uint16_t port = 0;   ///< of the client; 0 when it was not told
    std::string_view scheme;  ///< "http" or "https" or empty
    std::string_view host;    ///< a valid authority or empty
};

/// Reads the fields of a request that came from a trusted proxy. Each proxy adds the address it was called from at the
/// end, so the list is read from the right: as long as an address is trusted, it is a proxy's and the one before it is
/// believed too; the first other one is the client. A node that is `unknown`, obfuscated (`_name`) or malformed ends
/// the list: the client is then the last address before it, that of the proxy that told it, or nothing when that is the
/// other end of the connection. Scheme and host are what the proxy nearest to the client told. At most 100 proxies.
[[nodiscard]] forwarded read_forwarded(const fields_view& fields, const allow_list& trusted, forwarded_fields which);

}  // namespace rondo::http
