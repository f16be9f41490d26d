// SPDX-License-Identifier: Apache-2.0
// Limits of a database object (options) and its current counters (database_stats).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::db {

/// Limits of a database object; they apply per process.
struct options {
    std::size_t max_connections = 20;                  ///< maximum; opened on demand. SQLite: one of them writes
    std::size_t max_waiting = 16384;                   ///< maximum statements and transactions waiting for a connection
    std::chrono::milliseconds acquire_timeout{10000};  ///< maximum wait; then pool_exhausted or connection_lost
    std::chrono::milliseconds connect_timeout{5000};   ///< per attempt
    std::chrono::milliseconds idle_timeout{300000};    ///< idle connections are closed after this
    std::size_t statement_cache_size = 256;            ///< prepared per connection; 0: none (transaction poolers)
    std::size_t pipeline_depth = 16;                   ///< statements in flight per connection; 1: no pipelining
};

/// Current state and counters of a database object.
struct database_stats {
    std::size_t connections = 0;  ///< open
    std::size_t idle = 0;         ///< connections without work
    std::size_t leased = 0;       ///< connections held by a transaction, a stream or a copy
    std::size_t running = 0;      ///< statements sent to the database
    std::size_t waiting = 0;      ///< callers waiting for a connection
    // Since the first use of the object.
    std::uint64_t queries = 0;               ///< statements run
    std::uint64_t waits = 0;                 ///< completed waits for a connection
    std::chrono::nanoseconds total_wait{0};  ///< total duration of these waits
};

}  // namespace rondo::db
