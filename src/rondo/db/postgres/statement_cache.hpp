// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <rondo/db/statement.hpp>

namespace rondo::db::postgres {

/// Which statements a connection has prepared, under which names. Bounded: the one not used for longest goes.
class statement_cache {
public:
    struct entry {
        std::string text;
        std::string name;
        std::uint64_t used = 0;
    };

    /// Null when it is not prepared.
    [[nodiscard]] entry* find(const statement& s) noexcept;
    entry& add(const statement& s);
    /// Makes room for one more: the name of the statement to be deallocated.
    [[nodiscard]] std::optional<std::string> make_room(std::size_t most);
    void forget(std::uint64_t hash) { entries_.erase(hash); }

private:
    std::unordered_map<std::uint64_t, entry> entries_;
    std::uint64_t uses_ = 0;
    std::uint64_t names_ = 0;
};

}  // namespace rondo::db::postgres
