// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/cache.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <span>
#include <stdexcept>

#include <unistd.h>

#include <rondo/base/random_token.hpp>
#include <rondo/channels/cache_store.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/coro/blocking.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo {

namespace {

using namespace std::chrono_literals;

// The key of the lock; its owner computes the value.
std::string lock_of(const std::string& key) { return key + ":computing"; }

task<void> pause(clock::duration d) {
    if (!blocking_allowed()) co_await sleep(d);
    else {
        blocking_wait sleeping;
        (void)sleeping.wait(from_now(d));
    }
}

}  // namespace

namespace channels_detail {

class cache_state {
public:
    cache_state(std::function<std::string()> url, cache_options options) : ask_(std::move(url)), options_(options) {}
    ~cache_state() {
        if (made_by_ != getpid()) [[maybe_unused]]
            auto* abandoned = store_.release();  // belongs to the parent process
    }
    cache_state(const cache_state&) = delete;
    cache_state& operator=(const cache_state&) = delete;

    /// Created on first use in this process.
    [[nodiscard]] cache_store& use() {
        const std::scoped_lock lock(mutex_);
        if (store_ && made_by_ == getpid()) return *store_;
        [[maybe_unused]] auto* parents = store_.release();
        const channels_url url = known_url();
        store_ = url.where == channels_url::kind::memory ? make_memory_store(options_.bytes)
                                                         : make_redis_store(url, options_.patience);
        made_by_ = getpid();
        return *store_;
    }

    [[nodiscard]] task<cached> answer(cache_store& store, cached immediate, std::shared_ptr<pending> deferred) {
        if (!deferred) co_return immediate;
        const bool in_time = co_await deferred->wait(from_now(options_.patience));
        if (!in_time) store.late();
        co_return store.read(*deferred);
    }

    [[nodiscard]] const cache_options& options() const noexcept { return options_; }

    /// Null before the first use in this process.
    [[nodiscard]] cache_store* used() {
        const std::scoped_lock lock(mutex_);
        return made_by_ == getpid() ? store_.get() : nullptr;
    }
    [[nodiscard]] cache::figures count() {
        cache::figures all{
            .hits = hits, .misses = misses, .computed = computed, .shared = shared, .failures = failures};
        const cache_store* const store = used();
        if (store == nullptr) return all;
        const cache_store::figures stored = store->count();
        all.entries = stored.entries;
        all.bytes = stored.bytes;
        all.evicted = stored.evicted;
        return all;
    }

    flights flying;
    std::atomic<std::uint64_t> hits{0}, misses{0}, computed{0}, shared{0}, failures{0};

private:
    static constexpr figure_text texts[] = {
        {"hits", "Lookups that found a value."},
        {"misses", "Lookups that found no value."},
        {"computed", "Values computed."},
        {"shared", "Values received from a concurrent caller."},
        {"failures", "Calls that continued without Redis."},
        {"evicted", "Values evicted from memory to make room."},
        {"entries", "Values in memory.", false},
        {"bytes", "Memory used by keys and values.", false},
    };
    bool tell(std::span<std::uint64_t> to) {
        if (used() == nullptr) return false;
        const cache::figures f = count();
        std::ranges::copy(std::array{f.hits, f.misses, f.computed, f.shared, f.failures, f.evicted, f.entries, f.bytes},
                          to.begin());
        return true;
    }
    [[nodiscard]] channels_url known_url() const {
        const std::string text = ask_();
        return channels_url::parse(text.empty() ? "memory:" : text);
    }

    const std::function<std::string()> ask_;
    const cache_options options_;
    std::mutex mutex_;
    std::unique_ptr<cache_store> store_;
    pid_t made_by_ = 0;
    const observed told_{"cache", texts, [this] { return known_url().text(); },
                         [this](std::span<std::uint64_t> to) { return tell(to); }};
};

}  // namespace channels_detail

using channels_detail::cached;
using channels_detail::pending;

namespace {

void require_key(const std::string& key) {
    if (key.empty()) throw std::invalid_argument("empty cache key");
}

void require_life(const std::string& key, clock::duration ttl) {
    if (ttl <= clock::duration::zero())
        throw std::invalid_argument("the time to live of cache key '" + key +
                                    "' is not positive; use remove() to remove a value");
}

}  // namespace

cache::cache(std::string_view url, cache_options options) : cache([text = std::string(url)] { return text; }, options) {
    if (!url.empty()) (void)channels_url::parse(url);
}
cache::cache(std::function<std::string()> url, cache_options options)
    : state_(std::make_shared<channels_detail::cache_state>(std::move(url), options)) {}
cache::~cache() = default;

void cache::require_thread() { require_blocking_allowed("a blocking function of a cache"); }

channels_detail::flights& cache::flying() { return state_->flying; }

task<std::optional<std::string>> cache::get(std::string key) {
    require_key(key);
    auto& store = state_->use();
    std::shared_ptr<pending> deferred;
    cached immediate = store.get(key, deferred);
    cached found = co_await state_->answer(store, std::move(immediate), std::move(deferred));
    (found.good ? state_->hits : state_->misses).fetch_add(1, std::memory_order_relaxed);
    if (!found.good) co_return std::nullopt;
    co_return std::move(found.value);
}

task<void> cache::set(std::string key, std::string value, clock::duration ttl) {
    require_key(key);
    require_life(key, ttl);
    auto& store = state_->use();
    std::shared_ptr<pending> deferred;
    cached immediate = store.set(key, std::move(value), ttl, false, deferred);
    (void)co_await state_->answer(store, std::move(immediate), std::move(deferred));
}

task<bool> cache::remove(std::string key) {
    require_key(key);
    auto& store = state_->use();
    std::shared_ptr<pending> deferred;
    cached immediate = store.remove(key, nullptr, deferred);
    const cached done = co_await state_->answer(store, std::move(immediate), std::move(deferred));
    co_return done.good;
}

std::optional<std::string> cache::get_sync(std::string key) {
    require_thread();
    return sync_wait(get(std::move(key)));
}
void cache::set_sync(std::string key, std::string value, clock::duration ttl) {
    require_thread();
    sync_wait(set(std::move(key), std::move(value), ttl));
}
bool cache::remove_sync(std::string key) {
    require_thread();
    return sync_wait(remove(std::move(key)));
}

task<std::optional<std::string>> cache::look(const std::string& key) {
    try {
        co_return co_await get(key);
    } catch (const channels_unavailable&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
    co_return std::nullopt;
}

task<cache::value_pointer> cache::wait_for(channels_detail::flights::waiting other) {
    const bool in_time = co_await other->wait(from_now(1h));
    if (!in_time) co_return nullptr;
    if (other->value()) state_->shared.fetch_add(1, std::memory_order_relaxed);
    co_return other->value();
}

// The lock expires by itself: its owner may be killed.
task<std::optional<std::string>> cache::look_or_lock(const std::string& key, std::string& token) {
    auto& store = state_->use();
    if (!store.shared() || state_->options().compute_limit <= clock::duration::zero()) co_return co_await look(key);
    const instant end = from_now(state_->options().compute_limit);
    clock::duration wait = 5ms;
    try {
        while (clock::now() < end) {
            token = random_token();  // set before the reply: a caller cancelled in between has to unlock
            std::shared_ptr<pending> deferred;
            cached immediate = store.set(lock_of(key), token, state_->options().compute_limit, true, deferred);
            const cached won = co_await state_->answer(store, std::move(immediate), std::move(deferred));
            if (!won.good) token.clear();
            std::optional<std::string> found = co_await get(key);
            if (found || won.good) co_return found;
            co_await pause(wait);
            wait = std::min<clock::duration>(2 * wait, 200ms);
        }
    } catch (const channels_unavailable&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
    co_return std::nullopt;
}

task<void> cache::keep(const std::string& key, const std::string& value, clock::duration ttl) {
    state_->computed.fetch_add(1, std::memory_order_relaxed);
    try {
        co_await set(key, value, ttl);
    } catch (const channels_unavailable&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
}

// Does not wait for the reply.
void cache::unlock(const std::string& key, const std::string& token) noexcept {
    if (token.empty()) return;
    try {
        std::shared_ptr<pending> deferred;
        (void)state_->use().remove(lock_of(key), &token, deferred);
    } catch (const std::exception&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
}

cache::figures cache::count() const { return state_->count(); }

}  // namespace rondo
