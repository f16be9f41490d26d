// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/single_flight.hpp>

namespace rondo::channels_detail {

single_flight::waiter_ptr single_flight::join(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    const auto [entry, first] = in_flight_.try_emplace(key);
    if (first) return nullptr;
    return entry->second.emplace_back(std::make_shared<reply<std::shared_ptr<const std::string>>>());
}

void single_flight::finish(const std::string& key, const std::shared_ptr<const std::string>& value,
                           const std::exception_ptr& failure) {
    std::vector<waiter_ptr> waiters;
    {
        const std::scoped_lock lock(mutex_);
        const auto entry = in_flight_.find(key);
        waiters = std::move(entry->second);
        in_flight_.erase(entry);
    }
    for (const waiter_ptr& w : waiters) {
        if (failure) w->settle(failure);
        else w->set_value(value);
    }
}

}  // namespace rondo::channels_detail
