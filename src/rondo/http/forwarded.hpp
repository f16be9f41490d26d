// SPDX-License-Identifier: Apache-2.0
// Finds the client, scheme and host of a request behind trusted proxies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo::http {

/// Which fields of a trusted proxy are read.
enum class forwarded_fields : std::uint8_t {
    automatic,    ///< X-Forwarded-For, -Proto and -Host when one of them is present, else Forwarded
    x_forwarded,  ///< only X-Forwarded-For, -Proto and -Host
    forwarded,    ///< only Forwarded (RFC 7239)
};

/// The client's side of a request as reported by proxies. Empty parts are unknown. Holds views into the fields.
struct forwarded {
    std::optional<ip_address> client;
    std::uint16_t port = 0;   ///< the client's; 0: unknown
    std::string_view scheme;  ///< "http" or "https" or empty
    std::string_view host;    ///< a valid authority or empty
};

/// Reads the fields of a request received from a trusted proxy. Each proxy appends the address of its peer, so the list
/// is read from the right: while an address is trusted, it is a proxy's and the next one to the left is believed too;
/// the first untrusted address is the client. A node that is `unknown`, obfuscated (`_name`) or malformed ends the
/// list: the client is then the previous address, that of the proxy that reported it, or none when that is the peer of
/// the connection. Scheme and host are those reported by the proxy nearest to the client. Reads at most 100 proxies.
[[nodiscard]] forwarded read_forwarded(const fields_view& fields, const allow_list& trusted, forwarded_fields which);

}  // namespace rondo::http
