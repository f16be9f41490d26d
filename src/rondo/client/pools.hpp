// SPDX-License-Identifier: Apache-2.0
// The connection pools of an HTTP client, one for each loop.
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

/// The pools of a client, one for each loop that made a call. A pool ends with its loop or with the client, whichever
/// ends first.
class client_pools : public std::enable_shared_from_this<client_pools> {
public:
    explicit client_pools(client_options options);

    /// The pool of the calling thread's loop, created on first use.
    [[nodiscard]] client_pool& current();
    /// Null when this loop has no pool yet.
    [[nodiscard]] client_pool* current_or_null() noexcept;
    /// Called in a forked process: forgets the pools, which belong to loops of the parent.
    void reset_after_fork() noexcept;
    /// Closes all pools, each on its loop thread. Any thread.
    void close() noexcept;

    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// Totals of all loops, including those that have ended. Any thread.
    [[nodiscard]] client_stats stats() noexcept;

private:
    class loop_pool;

    /// Adds the counters of a pool to the totals of ended loops. Requires the mutex.
    void add_to_ended(const loop_pool& ending) noexcept;

    const client_options options_;
    std::mutex mutex_;
    std::vector<loop_pool*> loop_pools_;
    client_stats ended_stats_;
    const stats_source stats_source_;
};

}  // namespace rondo::detail
