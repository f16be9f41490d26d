// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_cache.hpp>

#include <algorithm>

namespace rondo::db::postgres {

statement_cache::entry* statement_cache::find(const statement& s) noexcept {
    const auto at = entries_.find(s.hash());
    if (at == entries_.end() || at->second.text != s.text()) return nullptr;
    at->second.used = ++uses_;
    return &at->second;
}

// Of two statements with one hash the last one counts; the name of the other is not used again.
statement_cache::entry& statement_cache::add(const statement& s) {
    entry& e = entries_[s.hash()];
    e = {std::string(s.text()), "rondo_" + std::to_string(++names_), ++uses_};
    return e;
}

std::optional<std::string> statement_cache::make_room(std::size_t most) {
    if (entries_.size() < most) return std::nullopt;
    const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& e) { return e.second.used; });
    std::string name = std::move(oldest->second.name);
    entries_.erase(oldest);
    return name;
}

}  // namespace rondo::db::postgres
