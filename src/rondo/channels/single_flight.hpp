// SPDX-License-Identifier: Apache-2.0
// Lets one caller compute a value while concurrent callers wait for its result.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <rondo/channels/pending_result.hpp>

namespace rondo::channels_detail {

/// The values of a cache being computed in this process, and the callers waiting for them. Thread-safe.
class single_flight {
public:
    /// Settles with the value, or with null when the leader was cancelled: then another caller computes.
    using waiter_ptr = std::shared_ptr<reply<std::shared_ptr<const std::string>>>;

    /// Returns null to the leader, which computes the value and then calls finish(); else a waiter.
    [[nodiscard]] waiter_ptr join(const std::string& key);
    void finish(const std::string& key, const std::shared_ptr<const std::string>& value,
                const std::exception_ptr& failure);

private:
    std::mutex mutex_;
    std::map<std::string, std::vector<waiter_ptr>> in_flight_;
};

/// Calls finish() at the end of the scope: as cancelled, unless a value or a failure was set.
class leader_guard {
public:
    leader_guard(single_flight& owner, std::string key) noexcept : owner_(owner), key_(std::move(key)) {}
    ~leader_guard() { owner_.finish(key_, value_, failure_); }
    leader_guard(const leader_guard&) = delete;
    leader_guard& operator=(const leader_guard&) = delete;

    void set_value(const std::string& value) { value_ = std::make_shared<const std::string>(value); }
    void set_failure(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

private:
    single_flight& owner_;
    const std::string key_;
    std::shared_ptr<const std::string> value_;
    std::exception_ptr failure_;
};

}  // namespace rondo::channels_detail
