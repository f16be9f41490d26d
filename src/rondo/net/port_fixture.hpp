// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include <rondo/net/address.hpp>

namespace rondo::testing {

/// The port of a socket that listens at one of the system's choice.
inline std::uint16_t port_of(const net::listening_socket& s) {
    return static_cast<std::uint16_t>(std::stoi(s.url.substr(s.url.rfind(':') + 1)));
}

}  // namespace rondo::testing
