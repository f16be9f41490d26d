// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/processes.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <sys/random.h>
#include <sys/socket.h>

#include <rondo/web/app_state.hpp>
#include <rondo/web/isolated/client.hpp>
#include <rondo/web/isolated/socket.hpp>

namespace rondo::compute {

namespace {

std::string random_name() {
    std::array<unsigned char, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw std::system_error(errno, std::generic_category(), "no random bytes for the name of a socket");
    std::string name = "rondo-compute-";
    for (const unsigned char b : bytes) {
        name += "0123456789abcdef"[b >> 4];
        name += "0123456789abcdef"[b & 15];
    }
    return name;
}

}  // namespace

std::vector<std::string> names_in(app& application) {
    std::vector<std::string> names;
    application.state().for_each_route([&names](detail::route_entry& route) {
        if (route.view.isolated) names.push_back(route.view.isolated->name);
    });
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

job_socket listen() {
    job_socket made{unique_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), random_name()};
    const detail::unix_name at(made.address);
    if (!made.fd || ::bind(made.fd.value(), at.address(), at.size()) || ::listen(made.fd.value(), SOMAXCONN))
        throw std::system_error(errno, std::generic_category(), "cannot make the socket of compute processes");
    return made;
}

void link(app& application, std::string_view name, const link_options& with) {
    const auto to = std::make_shared<detail::compute_link>(std::string(name), with);
    application.state().for_each_route([&](detail::route_entry& route) {
        if (route.view.isolated && route.view.isolated->name == name) route.view.isolated->link = to;
    });
}

}  // namespace rondo::compute
