// SPDX-License-Identifier: Apache-2.0
// Opens the socket of a connection to Redis.
#pragma once

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/net/resolver.hpp>

namespace rondo::channels_detail {

/// Returns a socket connected to the server of the URL. Throws std::runtime_error with the reason, timed_out at
/// `deadline`, and `cancelled` without delay, even during name resolution.
[[nodiscard]] task<unique_fd> connect_to(const channels_url& url, net::resolver& resolver, instant deadline);

}  // namespace rondo::channels_detail
