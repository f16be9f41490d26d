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
        throw std::runtime_error(fmt::format("unix socket path '{}' is too long", path));
    }
}

}  // namespace

task<unique_fd> connect_to(const channels_url& url, net::resolver& resolver, instant deadline) {
    std::vector<net::endpoint> addresses;
    if (!url.path.empty()) {
        addresses.push_back(unix_address(url.path));
    } else {
        try {
            addresses = co_await resolver.resolve(url.host, url.port, deadline);
        } catch (const timed_out&) {
            throw std::runtime_error(fmt::format("cannot resolve '{}': no name server responded in time", url.host));
        }
    }
    try {
        co_return co_await net::connect(std::move(addresses), deadline);
    } catch (const net::connect_error& e) {
        throw std::runtime_error(e.code().message());  // the caller adds the address
    }
}

}  // namespace rondo::channels_detail
