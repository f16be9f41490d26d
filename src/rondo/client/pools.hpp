// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <rondo/client/options.hpp>
#include <rondo/client/pool.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo::detail {

/// The pools of a client, one for each loop that called. A pool ends with its loop or with the client, whichever is
/// first.
class client_pools : public std::enable_shared_from_this<client_pools> {
public:
    explicit client_pools(client_options options);

    /// The pool of the calling thread's loop, made when it is first asked for.
    [[nodiscard]] client_pool& here();
    /// Null when this loop has not called yet.
    [[nodiscard]] client_pool* here_if_made() noexcept;
    /// In a forked process: the pools there are belong to loops of the parent.
    void forget() noexcept;
    /// Closes all pools, each on its own thread. Any thread.
    void close() noexcept;

    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// Of all loops, also of those that have ended. Any thread.
    [[nodiscard]] client_counts count() noexcept;

private:
    class member;

    /// With the mutex: what a member counted is kept.
    void keep_counts(const member& of) noexcept;

    const client_options options_;
    std::mutex mutex_;
    std::vector<member*> members_;
    client_counts ended_;
    const observed told_;
};

}  // namespace rondo::detail
