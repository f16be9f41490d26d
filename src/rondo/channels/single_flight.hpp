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

#include <rondo/channels/reply.hpp>

namespace rondo::channels_detail {

/// The values of a cache being computed in this process, and the callers waiting for them. Thread-safe.
class flights {
public:
    /// Settles with the value, or with null when the leader was cancelled: then another caller computes.
    using waiting = std::shared_ptr<reply<std::shared_ptr<const std::string>>>;

    /// Returns null to the leader, which computes the value and then calls finish(); else a waiter.
    [[nodiscard]] waiting join(const std::string& key);
    void end(const std::string& key, const std::shared_ptr<const std::string>& value,
             const std::exception_ptr& failure);

private:
    std::mutex mutex_;
    std::map<std::string, std::vector<waiting>> flying_;
};

/// Calls finish() at the end of the scope: as cancelled, unless a value or a failure was set.
class leading {
public:
    leading(flights& owner, std::string key) noexcept : in_(owner), key_(std::move(key)) {}
    ~leading() { in_.end(key_, value_, failure_); }
    leading(const leading&) = delete;
    leading& operator=(const leading&) = delete;

    void gave(const std::string& value) { value_ = std::make_shared<const std::string>(value); }
    void failed(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

private:
    flights& in_;
    const std::string key_;
    std::shared_ptr<const std::string> value_;
    std::exception_ptr failure_;
};

}  // namespace rondo::channels_detail
