// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/net/resolver.hpp>

namespace rondo::channels_detail {

/// A connected socket to the server of the URL. Throws std::runtime_error with why, timed_out at `until`, `cancelled`
/// at once, also while the name is looked up.
[[nodiscard]] task<unique_fd> connect_to(const channels_url& url, net::resolver& names, instant until);

}  // namespace rondo::channels_detail
