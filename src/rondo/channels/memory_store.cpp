// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <rondo/channels/cache_store.hpp>

namespace rondo::channels_detail {

namespace {

constexpr std::size_t shard_count = 8;       // to reduce lock contention
constexpr std::size_t entry_overhead = 160;  // list and hash nodes, string objects

// A part of the keys; the least recently used entry is last.
class shard {
public:
    store_result get(std::string_view key) {
        const std::scoped_lock lock(mutex_);
        const auto found = index_.find(key);
        if (found == index_.end()) return {};
        if (found->second->expires <= clock::now()) return erase(found->second), store_result{};
        entries_.splice(entries_.begin(), entries_, found->second);
        return {true, found->second->value};
    }

    bool set(std::string_view key, std::string value, instant until, bool only_new, std::size_t limit) {
        const std::scoped_lock lock(mutex_);
        if (const auto found = index_.find(key); found != index_.end()) {
            if (only_new && found->second->expires > clock::now()) return false;
            erase(found->second);
        }
        // It would evict all other entries, and then itself.
        if (size_of(key, value) > limit) return ++evicted_, true;
        entries_.push_front({std::string(key), std::move(value), until});
        index_.emplace(entries_.front().key, entries_.begin());
        bytes_ += size_of(entries_.front());
        while (bytes_ > limit && !entries_.empty()) {
            erase(std::prev(entries_.end()));
            ++evicted_;
        }
        return true;
    }

    bool remove(std::string_view key, const std::string* expected) {
        const std::scoped_lock lock(mutex_);
        const auto found = index_.find(key);
        if (found == index_.end() || (expected != nullptr && found->second->value != *expected)) return false;
        const bool was_valid = found->second->expires > clock::now();
        erase(found->second);
        return was_valid;
    }

    void add_stats(cache_store::statistics& to) const {
        const std::scoped_lock lock(mutex_);
        to.entries += entries_.size();
        to.bytes += bytes_;
        to.evicted += evicted_;
    }

private:
    struct entry {
        std::string key;
        std::string value;
        instant expires;
    };
    using position = std::list<entry>::iterator;

    [[nodiscard]] static std::size_t size_of(std::string_view key, std::string_view value) noexcept {
        return key.size() + value.size() + entry_overhead;
    }
    [[nodiscard]] static std::size_t size_of(const entry& e) noexcept { return size_of(e.key, e.value); }
    void erase(position position) {
        bytes_ -= size_of(*position);
        index_.erase(position->key);
        entries_.erase(position);
    }

    mutable std::mutex mutex_;
    std::list<entry> entries_;
    std::unordered_map<std::string_view, position> index_;  // the keys refer to the entries
    std::size_t bytes_ = 0;
    std::uint64_t evicted_ = 0;
};

class memory_store final : public cache_store {
public:
    explicit memory_store(std::size_t bytes) noexcept : limit_(bytes / shard_count) {}

    store_result get(std::string_view key, std::shared_ptr<pending>&) override { return shard_of(key).get(key); }
    store_result set(std::string_view key, std::string value, clock::duration ttl, bool only_new,
                     std::shared_ptr<pending>&) override {
        return {shard_of(key).set(key, std::move(value), from_now(ttl), only_new, limit_), {}};
    }
    store_result remove(std::string_view key, const std::string* expected, std::shared_ptr<pending>&) override {
        return {shard_of(key).remove(key, expected), {}};
    }
    store_result result_of(pending&) override { return {}; }
    void throw_timed_out() const override { throw std::logic_error("operations in memory are never deferred"); }
    bool is_shared() const noexcept override { return false; }
    statistics stats() const override {
        statistics sum;
        for (const shard& s : shards_) s.add_stats(sum);
        return sum;
    }

private:
    [[nodiscard]] shard& shard_of(std::string_view key) noexcept {
        return shards_[(std::hash<std::string_view>()(key) >> 7) % shard_count];
    }

    const std::size_t limit_;  // of each shard
    std::array<shard, shard_count> shards_;
};

}  // namespace

std::unique_ptr<cache_store> make_memory_store(std::size_t bytes) { return std::make_unique<memory_store>(bytes); }

}  // namespace rondo::channels_detail
