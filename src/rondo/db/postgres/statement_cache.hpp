// SPDX-License-Identifier: Apache-2.0
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

/// Which statements a connection has prepared, under which names. Bounded: the one not used for longest goes.
///
/// A name is made of a digest of the text, so that under one name there is one statement, whoever prepared it: behind a
/// pooler the connections of the server are shared with others. (The types of parameters are never said, so they need
/// not be part of it.)
class statement_cache {
public:
    struct entry {
        std::string text;
        std::string name;
        std::uint64_t used = 0;
        std::uint64_t serial = 0;
        bool prepared = false;  ///< the server has it already
    };

    /// Null when it is not known.
    [[nodiscard]] entry* find(const statement& s) noexcept;
    /// Not prepared, unless it went lately and is still there.
    entry& add(const statement& s);
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    /// Makes room for one more: what goes is retired. False when too many are retired and wait.
    [[nodiscard]] bool make_room(std::size_t most);
    /// The server does not have it.
    void forget(std::uint64_t hash, std::uint64_t serial);
    /// Its plan is out of date for good: when it is prepared again it has another name.
    void outdate(std::uint64_t hash, std::uint64_t serial);
    /// The server has none any more.
    void clear();
    /// Counts clear().
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    /// Names to be deallocated.
    [[nodiscard]] bool has_retired() const noexcept { return !retired_.empty(); }
    [[nodiscard]] std::vector<std::string> take_retired() { return std::exchange(retired_, {}); }

private:
    [[nodiscard]] std::string name_of(std::string_view text) const;

    std::unordered_map<std::uint64_t, entry> entries_;
    std::vector<std::string> retired_;
    std::uint64_t uses_ = 0;
    std::uint64_t serials_ = 0;
    std::uint64_t outdated_ = 0;
    std::uint64_t generation_ = 0;
};

}  // namespace rondo::db::postgres
