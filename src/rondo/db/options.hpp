// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::db {

/// Limits of a database object; each process has its own.
struct options {
    std::size_t connections = 20;           ///< at most; opened as they are needed. SQLite: one of them writes
    std::size_t waiting = 16384;            ///< statements and transactions that may wait for a connection
    std::chrono::milliseconds wait{10000};  ///< the longest such wait; after it: too_busy, or connection_lost
    std::chrono::milliseconds connect_timeout{5000};  ///< for one attempt
    std::chrono::milliseconds idle{300000};           ///< a connection without work is closed after this
    std::size_t statements = 256;                     ///< prepared per connection; 0: none (for transaction poolers)
    std::size_t pipeline = 16;                        ///< statements on their way on one connection; 1: no pipeline
};

/// What a database object is doing now.
struct status {
    std::size_t connections = 0;  ///< open
    std::size_t idle = 0;         ///< of them without work
    std::size_t lent = 0;         ///< of them within a transaction, a stream or a copy
    std::size_t running = 0;      ///< statements that are with the server
    std::size_t waiting = 0;      ///< for a connection
    // Since the object was first used.
    std::uint64_t queries = 0;           ///< statements
    std::uint64_t waits = 0;             ///< for a connection, that came to an end
    std::chrono::nanoseconds waited{0};  ///< all of them together
};

}  // namespace rondo::db
