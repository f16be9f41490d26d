// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/redis/connect.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/loop/timeout.hpp>
#include <rondo/net/connect.hpp>

namespace rondo::channels_detail {

namespace {

net::endpoint unix_address(const std::string& path) {
    try {
        return net::endpoint::unix_path(path);
    } catch (const std::invalid_argument&) {
        throw std::runtime_error(fmt::format("the path '{}' is too long for a unix socket", path));
    }
}

}  // namespace

task<unique_fd> connect_to(const channels_url& url, net::resolver& names, instant until) {
    std::vector<net::endpoint> addresses;
    if (!url.path.empty()) {
        addresses.push_back(unix_address(url.path));
    } else {
        try {
            addresses = co_await names.resolve(url.host, url.port, until);
        } catch (const timed_out&) {
            throw std::runtime_error(
                fmt::format("the name '{}' cannot be resolved: no name server answered in time", url.host));
        }
    }
    try {
        co_return co_await net::connect(std::move(addresses), until);
    } catch (const net::connect_error& e) {
        throw std::runtime_error(e.code().message());  // where to is said by whoever tells it
    }
}

}  // namespace rondo::channels_detail
