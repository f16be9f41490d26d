// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/processes.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <sys/random.h>
#include <sys/socket.h>

#include <rondo/base/random_token.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/isolated/client.hpp>
#include <rondo/web/isolated/fd_passing.hpp>

namespace rondo::compute {

namespace {

std::string random_name() { return "rondo-compute-" + random_token(); }

}  // namespace

std::vector<std::string> isolated_names(app& application) {
    std::vector<std::string> names;
    application.state().for_each_route([&names](detail::route_entry& route) {
        if (route.view.isolated) names.push_back(route.view.isolated->name);
    });
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

job_socket listen_for_jobs() {
    job_socket job{unique_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), random_name()};
    const abstract_address address(job.address);
    if (!job.fd || ::bind(job.fd.value(), address.get(), address.size()) || ::listen(job.fd.value(), SOMAXCONN))
        throw std::system_error(errno, std::generic_category(), "cannot create the job socket of compute processes");
    return job;
}

void attach(app& application, std::string_view name, const attach_options& options) {
    const auto client = std::make_shared<detail::compute_client>(std::string(name), options);
    application.state().for_each_route([&](detail::route_entry& route) {
        if (route.view.isolated && route.view.isolated->name == name) route.view.isolated->client = client;
    });
}

}  // namespace rondo::compute
