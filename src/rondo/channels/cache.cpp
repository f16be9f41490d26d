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
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo {

namespace {

using namespace std::chrono_literals;

// The key of the lock; its owner computes the value.
std::string lock_key(const std::string& key) { return key + ":computing"; }

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
    cache_state(std::function<std::string()> url, cache_options options)
        : url_source_(std::move(url)), options_(options) {}
    ~cache_state() {
        if (owner_pid_ != getpid()) [[maybe_unused]]
            auto* abandoned = store_.release();  // belongs to the parent process
    }
    cache_state(const cache_state&) = delete;
    cache_state& operator=(const cache_state&) = delete;

    /// Created on first use in this process.
    [[nodiscard]] cache_store& get_store() {
        const std::scoped_lock lock(mutex_);
        if (store_ && owner_pid_ == getpid()) return *store_;
        [[maybe_unused]] auto* inherited = store_.release();
        const channels_url url = resolve_url();
        store_ = url.backend == channels_url::kind::memory ? make_memory_store(options_.max_bytes)
                                                           : make_redis_store(url, options_.timeout);
        owner_pid_ = getpid();
        return *store_;
    }

    [[nodiscard]] task<store_result> await_result(cache_store& store, store_result immediate,
                                                  std::shared_ptr<pending> deferred) {
        if (!deferred) co_return immediate;
        const bool in_time = co_await deferred->wait(from_now(options_.timeout));
        if (!in_time) store.throw_timed_out();
        co_return store.result_of(*deferred);
    }

    [[nodiscard]] const cache_options& options() const noexcept { return options_; }

    /// Null before the first use in this process.
    [[nodiscard]] cache_store* store_if_created() {
        const std::scoped_lock lock(mutex_);
        return owner_pid_ == getpid() ? store_.get() : nullptr;
    }
    [[nodiscard]] cache::statistics stats() {
        cache::statistics sum{
            .hits = hits, .misses = misses, .computed = computed, .shared = shared, .failures = failures};
        const cache_store* const store = store_if_created();
        if (store == nullptr) return sum;
        const cache_store::statistics stored = store->stats();
        sum.entries = stored.entries;
        sum.bytes = stored.bytes;
        sum.evicted = stored.evicted;
        return sum;
    }

    single_flight in_flight;
    std::atomic<std::uint64_t> hits{0}, misses{0}, computed{0}, shared{0}, failures{0};

private:
    static constexpr metric_descriptor metric_descriptors[] = {
        {"hits", "Lookups that found a value."},
        {"misses", "Lookups that found no value."},
        {"computed", "Values computed."},
        {"shared", "Values received from a concurrent caller."},
        {"failures", "Calls that continued without Redis."},
        {"evicted", "Values evicted from memory to make room."},
        {"entries", "Values in memory.", false},
        {"bytes", "Memory used by keys and values.", false},
    };
    bool write_stats(std::span<std::uint64_t> to) {
        if (store_if_created() == nullptr) return false;
        const cache::statistics s = stats();
        std::ranges::copy(std::array{s.hits, s.misses, s.computed, s.shared, s.failures, s.evicted, s.entries, s.bytes},
                          to.begin());
        return true;
    }
    [[nodiscard]] channels_url resolve_url() const {
        const std::string text = url_source_();
        return channels_url::parse(text.empty() ? "memory:" : text);
    }

    const std::function<std::string()> url_source_;
    const cache_options options_;
    std::mutex mutex_;
    std::unique_ptr<cache_store> store_;
    pid_t owner_pid_ = 0;
    const stats_source stats_source_{"cache", metric_descriptors, [this] { return resolve_url().text(); },
                                     [this](std::span<std::uint64_t> to) { return write_stats(to); }};
};

}  // namespace channels_detail

using channels_detail::pending;
using channels_detail::store_result;

namespace {

void require_key(const std::string& key) {
    if (key.empty()) throw std::invalid_argument("empty cache key");
}

void require_ttl(const std::string& key, clock::duration ttl) {
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

void cache::check_blocking_allowed() { require_blocking_allowed("a blocking function of a cache"); }

channels_detail::single_flight& cache::in_flight() { return state_->in_flight; }

task<std::optional<std::string>> cache::get(std::string key) {
    require_key(key);
    auto& store = state_->get_store();
    std::shared_ptr<pending> deferred;
    store_result immediate = store.get(key, deferred);
    store_result found = co_await state_->await_result(store, std::move(immediate), std::move(deferred));
    (found.ok ? state_->hits : state_->misses).fetch_add(1, std::memory_order_relaxed);
    if (!found.ok) co_return std::nullopt;
    co_return std::move(found.value);
}

task<void> cache::set(std::string key, std::string value, clock::duration ttl) {
    require_key(key);
    require_ttl(key, ttl);
    auto& store = state_->get_store();
    std::shared_ptr<pending> deferred;
    store_result immediate = store.set(key, std::move(value), ttl, false, deferred);
    (void)co_await state_->await_result(store, std::move(immediate), std::move(deferred));
}

task<bool> cache::remove(std::string key) {
    require_key(key);
    auto& store = state_->get_store();
    std::shared_ptr<pending> deferred;
    store_result immediate = store.remove(key, nullptr, deferred);
    const store_result done = co_await state_->await_result(store, std::move(immediate), std::move(deferred));
    co_return done.ok;
}

std::optional<std::string> cache::get_sync(std::string key) {
    check_blocking_allowed();
    return sync_wait(get(std::move(key)));
}
void cache::set_sync(std::string key, std::string value, clock::duration ttl) {
    check_blocking_allowed();
    sync_wait(set(std::move(key), std::move(value), ttl));
}
bool cache::remove_sync(std::string key) {
    check_blocking_allowed();
    return sync_wait(remove(std::move(key)));
}

task<std::optional<std::string>> cache::try_get(const std::string& key) {
    try {
        co_return co_await get(key);
    } catch (const channels_unavailable&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
    co_return std::nullopt;
}

task<cache::value_pointer> cache::wait_for(channels_detail::single_flight::waiter_ptr other) {
    const bool in_time = co_await other->wait(from_now(1h));
    if (!in_time) co_return nullptr;
    if (other->value()) state_->shared.fetch_add(1, std::memory_order_relaxed);
    co_return other->value();
}

// The lock expires by itself: its owner may be killed.
task<std::optional<std::string>> cache::get_or_lock(const std::string& key, std::string& token) {
    auto& store = state_->get_store();
    if (!store.is_shared() || state_->options().compute_limit <= clock::duration::zero())
        co_return co_await try_get(key);
    const instant end = from_now(state_->options().compute_limit);
    clock::duration wait = 5ms;
    try {
        while (clock::now() < end) {
            token = random_token();  // set before the reply: a caller cancelled in between has to unlock
            std::shared_ptr<pending> deferred;
            store_result immediate = store.set(lock_key(key), token, state_->options().compute_limit, true, deferred);
            const store_result locked = co_await state_->await_result(store, std::move(immediate), std::move(deferred));
            if (!locked.ok) token.clear();
            std::optional<std::string> found = co_await get(key);
            if (found || locked.ok) co_return found;
            co_await pause(wait);
            wait = std::min<clock::duration>(2 * wait, 200ms);
        }
    } catch (const channels_unavailable&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
    co_return std::nullopt;
}

task<void> cache::try_set(const std::string& key, const std::string& value, clock::duration ttl) {
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
        (void)state_->get_store().remove(lock_key(key), &token, deferred);
    } catch (const std::exception&) {
        state_->failures.fetch_add(1, std::memory_order_relaxed);
    }
}

cache::statistics cache::stats() const { return state_->stats(); }

}  // namespace rondo
