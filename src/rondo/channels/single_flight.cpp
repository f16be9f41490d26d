// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/single_flight.hpp>

namespace rondo::channels_detail {

flights::waiting flights::join(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    const auto [entry, first] = flying_.try_emplace(key);
    if (first) return nullptr;
    return entry->second.emplace_back(std::make_shared<reply<std::shared_ptr<const std::string>>>());
}

void flights::end(const std::string& key, const std::shared_ptr<const std::string>& value,
                  const std::exception_ptr& failure) {
    std::vector<waiting> waiters;
    {
        const std::scoped_lock lock(mutex_);
        const auto entry = flying_.find(key);
        waiters = std::move(entry->second);
        flying_.erase(entry);
    }
    for (const waiting& w : waiters) {
        if (failure) w->settle(failure);
        else w->give(value);
    }
}

}  // namespace rondo::channels_detail
