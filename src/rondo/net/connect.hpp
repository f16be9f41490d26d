// SPDX-License-Identifier: Apache-2.0
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

/// No address could be connected to. `what()` names each that was tried, and why it failed; code() is the errno of the
/// last.
class connect_error : public std::system_error {
public:
    connect_error(int error, const std::string& text) : std::system_error(error, std::generic_category(), text) {}
};

/// How long one address is waited for before the next is tried beside it (RFC 8305 section 5).
inline constexpr std::chrono::milliseconds connect_stagger{250};

/// Connects a stream socket (non-blocking, close-on-exec, TCP_NODELAY) to the first of the addresses that answers, in
/// their order: the next one is begun when one fails or is silent for connect_stagger; what was begun besides is
/// closed. Throws connect_error, timed_out at `until`, `cancelled`. On a loop's thread.
[[nodiscard]] task<unique_fd> connect(std::vector<endpoint> to, instant until = instant::max());

}  // namespace rondo::net
