// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include <rondo/channels/cache_store.hpp>
#include <rondo/channels/redis/connection.hpp>

namespace rondo::channels_detail {

namespace {

// Compares and removes atomically, so that a value set by another client in between is not removed.
constexpr std::string_view remove_if_equal_script =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

class redis_store final : public cache_store {
public:
    redis_store(const channels_url& url, clock::duration timeout)
        : prefix_(url.prefix), connection_(io_thread::shared(), url, timeout, {}) {}

    store_result get(std::string_view key, std::shared_ptr<pending>& deferred) override {
        const std::string name = prefix_ + std::string(key);
        return execute(std::array<std::string_view, 2>{"GET", name}, deferred);
    }

    store_result set(std::string_view key, std::string value, clock::duration ttl, bool only_new,
                     std::shared_ptr<pending>& deferred) override {
        const std::string name = prefix_ + std::string(key);
        // Redis stores milliseconds in a signed number; a century or more is stored without expiry.
        constexpr auto unlimited = std::chrono::years(100);
        const auto time = std::max(std::chrono::ceil<std::chrono::milliseconds>(ttl), std::chrono::milliseconds(1));
        const std::string milliseconds = std::to_string(time.count());
        std::vector<std::string_view> words{"SET", name, value};
        if (time < unlimited) words.insert(words.end(), {"PX", milliseconds});
        if (only_new) words.emplace_back("NX");
        return execute(words, deferred);
    }

    store_result remove(std::string_view key, const std::string* expected,
                        std::shared_ptr<pending>& deferred) override {
        const std::string name = prefix_ + std::string(key);
        if (expected == nullptr) return execute(std::array<std::string_view, 2>{"DEL", name}, deferred);
        std::string bytes;
        append_command(bytes, std::array<std::string_view, 5>{"EVAL", remove_if_equal_script, "1", name, *expected});
        deferred = connection_.execute_script(std::move(bytes));
        return {};
    }

    store_result result_of(pending& settled) override {
        redis_value& value = static_cast<reply<redis_value>&>(settled).value();
        const bool ok =
            value.type == redis_value::kind::text || (value.type == redis_value::kind::integer && value.number != 0);
        return {ok, std::move(value.text)};
    }

    void throw_timed_out() const override {
        throw channels_unavailable(connection_.is_connected() ? connection_.timeout_message()
                                                              : connection_.last_error());
    }
    bool is_shared() const noexcept override { return true; }
    statistics stats() const override { return {}; }

private:
    store_result execute(std::span<const std::string_view> words, std::shared_ptr<pending>& deferred) {
        std::string bytes;
        append_command(bytes, words);
        deferred = connection_.execute(std::move(bytes));
        return {};
    }

    const std::string prefix_;
    redis_connection connection_;
};

}  // namespace

std::unique_ptr<cache_store> make_redis_store(const channels_url& url, clock::duration timeout) {
    return std::make_unique<redis_store>(url, timeout);
}

}  // namespace rondo::channels_detail
