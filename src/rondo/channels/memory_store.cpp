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

constexpr std::size_t shards = 8;            // to reduce lock contention
constexpr std::size_t entry_overhead = 160;  // list and hash nodes, string objects

// A part of the keys; the least recently used entry is last.
class shard {
public:
    cached get(std::string_view key) {
        const std::scoped_lock lock(mutex_);
        const auto found = places_.find(key);
        if (found == places_.end()) return {};
        if (found->second->until <= clock::now()) return drop(found->second), cached{};
        entries_.splice(entries_.begin(), entries_, found->second);
        return {true, found->second->value};
    }

    bool set(std::string_view key, std::string value, instant until, bool only_new, std::size_t limit) {
        const std::scoped_lock lock(mutex_);
        if (const auto found = places_.find(key); found != places_.end()) {
            if (only_new && found->second->until > clock::now()) return false;
            drop(found->second);
        }
        // It would evict all other entries, and then itself.
        if (size_of(key, value) > limit) return ++evicted_, true;
        entries_.push_front({std::string(key), std::move(value), until});
        places_.emplace(entries_.front().key, entries_.begin());
        bytes_ += size_of(entries_.front());
        while (bytes_ > limit && !entries_.empty()) {
            drop(std::prev(entries_.end()));
            ++evicted_;
        }
        return true;
    }

    bool remove(std::string_view key, const std::string* expected) {
        const std::scoped_lock lock(mutex_);
        const auto found = places_.find(key);
        if (found == places_.end() || (expected != nullptr && found->second->value != *expected)) return false;
        const bool was_valid = found->second->until > clock::now();
        drop(found->second);
        return was_valid;
    }

    void count(cache_store::figures& to) const {
        const std::scoped_lock lock(mutex_);
        to.entries += entries_.size();
        to.bytes += bytes_;
        to.evicted += evicted_;
    }

private:
    struct entry {
        std::string key;
        std::string value;
        instant until;
    };
    using place = std::list<entry>::iterator;

    [[nodiscard]] static std::size_t size_of(std::string_view key, std::string_view value) noexcept {
        return key.size() + value.size() + entry_overhead;
    }
    [[nodiscard]] static std::size_t size_of(const entry& e) noexcept { return size_of(e.key, e.value); }
    void drop(place position) {
        bytes_ -= size_of(*position);
        places_.erase(position->key);
        entries_.erase(position);
    }

    mutable std::mutex mutex_;
    std::list<entry> entries_;
    std::unordered_map<std::string_view, place> places_;  // the keys refer to the entries
    std::size_t bytes_ = 0;
    std::uint64_t evicted_ = 0;
};

class memory_store final : public cache_store {
public:
    explicit memory_store(std::size_t bytes) noexcept : limit_(bytes / shards) {}

    cached get(std::string_view key, std::shared_ptr<pending>&) override { return of(key).get(key); }
    cached set(std::string_view key, std::string value, clock::duration ttl, bool only_new,
               std::shared_ptr<pending>&) override {
        return {of(key).set(key, std::move(value), from_now(ttl), only_new, limit_), {}};
    }
    cached remove(std::string_view key, const std::string* expected, std::shared_ptr<pending>&) override {
        return {of(key).remove(key, expected), {}};
    }
    cached read(pending&) override { return {}; }
    void late() const override { throw std::logic_error("operations in memory are never deferred"); }
    bool shared() const noexcept override { return false; }
    figures count() const override {
        figures all;
        for (const shard& s : shards_) s.count(all);
        return all;
    }

private:
    [[nodiscard]] shard& of(std::string_view key) noexcept {
        return shards_[(std::hash<std::string_view>()(key) >> 7) % shards];
    }

    const std::size_t limit_;  // of each shard
    std::array<shard, shards> shards_;
};

}  // namespace

std::unique_ptr<cache_store> make_memory_store(std::size_t bytes) { return std::make_unique<memory_store>(bytes); }

}  // namespace rondo::channels_detail
