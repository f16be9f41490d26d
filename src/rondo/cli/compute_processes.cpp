// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/compute_processes.hpp>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rondo/base/stack_trace.hpp>
#include <rondo/cli/heartbeat.hpp>
#include <rondo/process/privileges.hpp>
#include <rondo/stats/compute_stats.hpp>
#include <rondo/web/isolated/processes.hpp>

namespace rondo::cli {

namespace {

const std::string key_of_jobs = "jobs";

// After the workers, which wait for them, and before the operators' listener.
constexpr unsigned stage = 5;

std::string group_of(const std::string& name) { return std::string(compute::group_prefix) + name; }

std::size_t processes_for(const settings& chosen, const std::string& name) {
    const auto found = std::ranges::find(chosen.compute, name, &compute_workers::name);
    return found == chosen.compute.end() ? 1 : found->count;
}

void limit_memory(std::uint64_t bytes) {
    if (bytes == 0) return;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit))
        throw std::system_error(errno, std::generic_category(), "compute-memory: the limit cannot be set");
}

int compute(app& application, const settings& chosen, const std::string& name, process::child& self) {
    process::assume(process::identity_of(chosen.user, chosen.group));
    limit_memory(chosen.compute_memory);
    stack_trace::prepare();
    auto& figures = stats::compute_figures::in(self.memory());
    figures.begin(getpid());
    compute::work_options options{.name = name,
                                  .socket = self.sockets().at(0).fd.value(),
                                  .timeout = chosen.compute_timeout,
                                  .ready = [&self] { self.ready(); },
                                  .ending = [&self] { self.draining(); },
                                  .lives_until = nullptr,
                                  .figures = &figures};
    options.lives_until = [&self](instant until) {
        self.lives_until(until.time_since_epoch().count());
        tell_stacks_if_wanted(self);
    };
    compute::work(application, options);
    return 0;
}

}  // namespace

void require_known_computers(app& application, const settings& chosen) {
    const std::vector<std::string> names = compute::names_in(application);
    for (const compute_workers& w : chosen.compute) {
        if (std::ranges::find(names, w.name) != names.end()) continue;
        if (names.empty())
            throw std::runtime_error(fmt::format(
                "compute-workers: no view is isolated, so '{}' names nothing; leave the setting out", w.name));
        throw std::runtime_error(fmt::format("compute-workers: no isolated view is called '{}'; there are '{}'", w.name,
                                             fmt::join(names, "', '")));
    }
}

std::vector<process::kept_socket> listen_for_jobs(app& application, const settings& chosen,
                                                  process::inheritance& inherited) {
    std::vector<process::kept_socket> all;
    for (const std::string& name : compute::names_in(application)) {
        const std::string group = group_of(name);
        // Two arbiters have each its own: jobs stay with the image that they come from.
        std::optional<process::kept_socket> socket;
        if (inherited.what == process::inheritance::kind::reload) socket = inherited.socket_of(group, key_of_jobs);
        if (!socket) {
            compute::job_socket made = compute::listen();
            // As a foreign one it is left open while the workers end: they still have jobs.
            socket = process::kept_socket{group, key_of_jobs, std::move(made.fd), made.address, {}, true};
        }
        compute::link(application, name,
                      {.address = socket->url,
                       .socket = socket->fd.value(),
                       .places = chosen.compute_queue + processes_for(chosen, name),
                       .timeout = chosen.compute_timeout});
        all.push_back(std::move(*socket));
    }
    return all;
}

std::vector<process::group> compute_groups(app& application, const settings& chosen) {
    std::vector<process::group> all;
    for (const std::string& name : compute::names_in(application)) {
        auto run = [&application, &chosen, name](process::child& self) {
            return compute(application, chosen, name, self);
        };
        all.push_back({.name = group_of(name),
                       .count = processes_for(chosen, name),
                       .run = run,
                       .memory = sizeof(stats::compute_figures),
                       .scales = false,
                       .stage = stage,
                       .isolated = true});
    }
    return all;
}

}  // namespace rondo::cli
