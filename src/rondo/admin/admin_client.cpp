// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_client.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include <rondo/client/client.hpp>
#include <rondo/client/error.hpp>
#include <rondo/codec/percent.hpp>

namespace rondo::admin {

namespace {

using namespace std::chrono_literals;

std::string status_url(const net::bind_address& address) {
    if (address.type == net::bind_address::kind::unix_path)
        return fmt::format("http+unix://{}/status.json", codec::percent_encode(address.path));
    const std::string host = address.host.empty() ? "127.0.0.1" : address.host;
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return is_ipv6 ? fmt::format("http://[{}]:{}/status.json", host, address.port)
                   : fmt::format("http://{}:{}/status.json", host, address.port);
}

client_response get_status(client& http, const net::bind_address& address, const std::string& name) {
    try {
        return http.get_sync(status_url(address));
    } catch (const client_error& e) {
        throw std::runtime_error(fmt::format("the admin listener at {} does not respond: {}", name, e.what()));
    }
}

}  // namespace

codec::json_value fetch_status(client& http, const net::bind_address& address) {
    using kind = net::bind_address::kind;
    if (address.type == kind::inherited || (address.type == kind::tcp && address.port == 0))
        throw std::runtime_error(
            "the settings do not contain the address of the admin listener; set --admin to 127.0.0.1:PORT or "
            "unix:/path");
    const std::string name =
        address.type == kind::unix_path ? address.path : fmt::format("{}:{}", address.host, address.port);
    client_response response = get_status(http, address, name);
    if (response.code() != 200)
        throw std::runtime_error(
            fmt::format("{} is not an admin listener of Rondo: GET /status.json returned {}", name, response.code()));
    auto value = codec::parse_json(response.body());
    if (!value)
        throw std::runtime_error(
            fmt::format("{} did not return JSON for /status.json: {}", name, value.error().message));
    return *std::move(value);
}

client_options admin_client_options() {
    return {.timeouts = {.pool = 5s, .connect = 5s, .read = 5s, .total = 15s},
            .max_body = 64 * 1024 * 1024,
            .max_redirects = 0,
            .user_agent = "rondo status"};
}

}  // namespace rondo::admin
