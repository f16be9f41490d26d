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

// Compared and removed in one step, so that nobody removes what another has set meanwhile.
constexpr std::string_view remove_if =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

class redis_store final : public cache_store {
public:
    redis_store(const channels_url& url, clock::duration patience)
        : prefix_(url.prefix), connection_(io_thread::shared(), url, patience, {}) {}

    cached get(std::string_view key, std::shared_ptr<pending>& later) override {
        const std::string name = prefix_ + std::string(key);
        return ask(std::array<std::string_view, 2>{"GET", name}, later);
    }

    cached set(std::string_view key, std::string value, clock::duration life, bool only_new,
               std::shared_ptr<pending>& later) override {
        const std::string name = prefix_ + std::string(key);
        // Redis counts milliseconds in a signed number; what is longer than a century is for ever.
        constexpr auto for_ever = std::chrono::years(100);
        const auto time = std::max(std::chrono::ceil<std::chrono::milliseconds>(life), std::chrono::milliseconds(1));
        const std::string milliseconds = std::to_string(time.count());
        std::vector<std::string_view> words{"SET", name, value};
        if (time < for_ever) words.insert(words.end(), {"PX", milliseconds});
        if (only_new) words.emplace_back("NX");
        return ask(words, later);
    }

    cached remove(std::string_view key, const std::string* expected, std::shared_ptr<pending>& later) override {
        const std::string name = prefix_ + std::string(key);
        if (expected == nullptr) return ask(std::array<std::string_view, 2>{"DEL", name}, later);
        std::string bytes;
        append_command(bytes, std::array<std::string_view, 5>{"EVAL", remove_if, "1", name, *expected});
        later = connection_.ask_script(std::move(bytes));
        return {};
    }

    cached read(pending& settled) override {
        redis_value& value = static_cast<reply<redis_value>&>(settled).value();
        const bool good =
            value.what == redis_value::kind::text || (value.what == redis_value::kind::integer && value.number != 0);
        return {good, std::move(value.text)};
    }

    void late() const override {
        throw channels_unavailable(connection_.connected() ? connection_.late() : connection_.trouble());
    }
    bool shared() const noexcept override { return true; }
    figures count() const override { return {}; }

private:
    cached ask(std::span<const std::string_view> words, std::shared_ptr<pending>& later) {
        std::string bytes;
        append_command(bytes, words);
        later = connection_.ask(std::move(bytes));
        return {};
    }

    const std::string prefix_;
    redis_connection connection_;
};

}  // namespace

std::unique_ptr<cache_store> make_redis_store(const channels_url& url, clock::duration patience) {
    return std::make_unique<redis_store>(url, patience);
}

}  // namespace rondo::channels_detail
