// SPDX-License-Identifier: Apache-2.0
// Connecting to the first of several addresses that accepts (Happy Eyeballs).
#pragma once

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/net/endpoint.hpp>

namespace rondo::net {

/// No address could be connected to. `what()` names each attempted address and its error; code() is the errno of the
/// last.
class connect_error : public std::system_error {
public:
    connect_error(int error, const std::string& text) : std::system_error(error, std::generic_category(), text) {}
};

/// How long to wait for one address before starting to connect to the next as well (RFC 8305 section 5).
inline constexpr std::chrono::milliseconds connection_attempt_delay{250};

/// Connects a stream socket (non-blocking, close-on-exec, TCP_NODELAY) to the first of the addresses that accepts.
/// Tries them in order, the next one when an attempt fails or is unanswered for connection_attempt_delay; closes the
/// losing attempts. Throws connect_error, timed_out at `deadline`, `cancelled`. Call on a loop's thread.
[[nodiscard]] task<unique_fd> connect(std::vector<endpoint> addresses, instant deadline = instant::max());

}  // namespace rondo::net
