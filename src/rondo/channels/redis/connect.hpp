// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::channels_detail {

/// A connected socket to the server of the URL, whose addresses are tried one after another. A name is looked up on
/// `resolver`. Throws std::runtime_error with why, `cancelled`.
[[nodiscard]] task<unique_fd> connect_to(const channels_url& url, thread_pool& resolver);

}  // namespace rondo::channels_detail
