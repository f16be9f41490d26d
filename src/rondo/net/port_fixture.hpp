// SPDX-License-Identifier: Apache-2.0
// The port that a listening socket of a test was bound to.
#pragma once

#include <cstdint>
#include <string>

#include <rondo/net/listen.hpp>

namespace rondo::testing {

/// Returns the port of a socket that was bound to port 0.
inline std::uint16_t port_of(const net::listening_socket& s) {
    return static_cast<std::uint16_t>(std::stoi(s.url.substr(s.url.rfind(':') + 1)));
}

}  // namespace rondo::testing
