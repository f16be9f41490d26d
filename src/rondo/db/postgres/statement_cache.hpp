// SPDX-License-Identifier: Apache-2.0
// The prepared statements of one connection, with LRU eviction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rondo/db/statement.hpp>

namespace rondo::db::postgres {

/// The statements that a connection has prepared, and their names. Bounded: evicts the least recently used.
///
/// A name contains a digest of the text, so that a name always means the same statement, whichever client prepared it:
/// behind a pooler, server connections are shared. (Parameter types are never declared, so they are not part of it.)
class statement_cache {
public:
    struct entry {
        std::string text;
        std::string name;
        std::uint64_t last_used = 0;
        std::uint64_t serial = 0;
        bool prepared = false;  ///< the server has it
    };

    /// Returns null when it is not cached.
    [[nodiscard]] entry* find(const statement& s) noexcept;
    /// Adds an entry; not prepared, unless it was evicted but not yet deallocated.
    entry& add(const statement& s);
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    /// Makes room for one more by retiring the least recently used. Returns false when too many wait for deallocation.
    [[nodiscard]] bool evict_to_fit(std::size_t limit);
    /// Removes an entry that the server does not have.
    void forget(std::uint64_t hash, std::uint64_t serial);
    /// Retires an entry whose plan is stale; prepared again, it gets another name.
    void invalidate(std::uint64_t hash, std::uint64_t serial);
    /// Forgets everything: the server has deallocated all statements.
    void clear();
    /// Number of clear() calls.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    /// Names to be deallocated.
    [[nodiscard]] bool has_retired() const noexcept { return !retired_.empty(); }
    [[nodiscard]] std::vector<std::string> take_retired() { return std::exchange(retired_, {}); }

private:
    [[nodiscard]] std::string make_name(std::string_view text) const;

    std::unordered_map<std::uint64_t, entry> entries_;
    std::vector<std::string> retired_;
    std::uint64_t use_counter_ = 0;
    std::uint64_t last_serial_ = 0;
    std::uint64_t invalidations_ = 0;
    std::uint64_t generation_ = 0;
};

}  // namespace rondo::db::postgres
