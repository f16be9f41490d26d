// SPDX-License-Identifier: Apache-2.0
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

/// Who computes a value of a cache now, and who waits for it, on any threads of this process.
class flights {
public:
    /// What somebody waits for: the value, or nothing when who computed it was cancelled: then the next one does.
    using waiting = std::shared_ptr<reply<std::shared_ptr<const std::string>>>;

    /// Null: the caller computes, and says how it ended.
    [[nodiscard]] waiting join(const std::string& key);
    void end(const std::string& key, const std::shared_ptr<const std::string>& value,
             const std::exception_ptr& failure);

private:
    std::mutex mutex_;
    std::map<std::string, std::vector<waiting>> flying_;
};

/// Ends a flight with the scope: as cancelled, unless it was said how.
class leading {
public:
    leading(flights& in, std::string key) noexcept : in_(in), key_(std::move(key)) {}
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
