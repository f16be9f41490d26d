// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_cache.hpp>

#include <algorithm>
#include <span>
#include <utility>

#include <rondo/codec/digest.hpp>

namespace rondo::db::postgres {

namespace {
constexpr std::size_t digest_bytes = 20;  // names have at most 63 bytes
}

std::string statement_cache::make_name(std::string_view text) const {
    const codec::sha256_digest digest = codec::sha256(text);
    std::string name = "rondo_" + codec::hex(std::span(digest).first(digest_bytes));
    if (invalidations_ > 0) name += "_" + std::to_string(invalidations_);
    return name;
}

statement_cache::entry* statement_cache::find(const statement& s) noexcept {
    const auto found = entries_.find(s.hash());
    if (found == entries_.end() || found->second.text != s.text()) return nullptr;
    found->second.last_used = ++use_counter_;
    return &found->second;
}

// Replaces another statement with the same hash.
statement_cache::entry& statement_cache::add(const statement& s) {
    std::string name = make_name(s.text());
    entry& e = entries_[s.hash()];
    if (!e.name.empty()) retired_.push_back(std::move(e.name));
    const bool still_prepared = std::erase(retired_, name) > 0;
    e = {std::string(s.text()), std::move(name), ++use_counter_, ++last_serial_, still_prepared};
    return e;
}

bool statement_cache::evict_to_fit(std::size_t limit) {
    if (entries_.size() < limit) return true;
    if (retired_.size() >= limit) return false;
    const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& e) { return e.second.last_used; });
    retired_.push_back(std::move(oldest->second.name));
    entries_.erase(oldest);
    return true;
}

void statement_cache::forget(std::uint64_t hash, std::uint64_t serial) {
    const auto found = entries_.find(hash);
    if (found != entries_.end() && found->second.serial == serial) entries_.erase(found);
}

void statement_cache::invalidate(std::uint64_t hash, std::uint64_t serial) {
    const auto found = entries_.find(hash);
    if (found == entries_.end() || found->second.serial != serial) return;
    retired_.push_back(std::move(found->second.name));
    entries_.erase(found);
    ++invalidations_;
}

void statement_cache::clear() {
    entries_.clear();
    retired_.clear();
    ++generation_;
}

}  // namespace rondo::db::postgres
