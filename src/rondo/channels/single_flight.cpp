// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/single_flight.hpp>

namespace rondo::channels_detail {

flights::waiting flights::join(const std::string& key) {
    const std::scoped_lock held(mutex_);
    const auto [place, first] = flying_.try_emplace(key);
    if (first) return nullptr;
    return place->second.emplace_back(std::make_shared<reply<std::shared_ptr<const std::string>>>());
}

void flights::end(const std::string& key, const std::shared_ptr<const std::string>& value,
                  const std::exception_ptr& failure) {
    std::vector<waiting> all;
    {
        const std::scoped_lock held(mutex_);
        const auto place = flying_.find(key);
        all = std::move(place->second);
        flying_.erase(place);
    }
    for (const waiting& one : all) {
        if (failure) one->settle(failure);
        else one->give(value);
    }
}

}  // namespace rondo::channels_detail
