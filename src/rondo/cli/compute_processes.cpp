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

// Stops after the workers, which wait for their jobs, and before the admin listener.
constexpr unsigned stage = 5;

std::string group_of(const std::string& name) { return std::string(compute::group_prefix) + name; }

std::size_t processes_for(const settings& settings, const std::string& name) {
    const auto found = std::ranges::find(settings.compute, name, &compute_workers::name);
    return found == settings.compute.end() ? 1 : found->count;
}

void limit_memory(std::uint64_t bytes) {
    if (bytes == 0) return;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit))
        throw std::system_error(errno, std::generic_category(), "compute-memory: cannot set the limit");
}

int compute(app& application, const settings& settings, const std::string& name, process::child& self) {
    process::assume(process::identity_of(settings.user, settings.group));
    limit_memory(settings.compute_memory);
    stack_trace::prepare();
    auto& figures = stats::compute_figures::in(self.memory());
    figures.begin(getpid());
    compute::work_options options{.name = name,
                                  .socket = self.sockets().at(0).fd.value(),
                                  .timeout = settings.compute_timeout,
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

void require_known_computers(app& application, const settings& settings) {
    const std::vector<std::string> names = compute::names_in(application);
    for (const compute_workers& w : settings.compute) {
        if (std::ranges::find(names, w.name) != names.end()) continue;
        if (names.empty())
            throw std::runtime_error(
                fmt::format("compute-workers: unknown name '{}'; the application has no isolated views", w.name));
        throw std::runtime_error(fmt::format("compute-workers: unknown name '{}'; isolated views are named '{}'",
                                             w.name, fmt::join(names, "', '")));
    }
}

std::vector<process::kept_socket> listen_for_jobs(app& application, const settings& settings,
                                                  process::inheritance& inherited) {
    std::vector<process::kept_socket> all;
    for (const std::string& name : compute::names_in(application)) {
        const std::string group = group_of(name);
        // During a binary upgrade each arbiter has its own socket, so that jobs stay within one image.
        std::optional<process::kept_socket> socket;
        if (inherited.what == process::inheritance::kind::reload) socket = inherited.socket_of(group, key_of_jobs);
        if (!socket) {
            compute::job_socket job_socket = compute::listen();
            // Externally owned, so that it stays open for the jobs of draining workers.
            socket = process::kept_socket{group, key_of_jobs, std::move(job_socket.fd), job_socket.address, {}, true};
        }
        compute::link(application, name,
                      {.address = socket->url,
                       .socket = socket->fd.value(),
                       .places = settings.compute_queue + processes_for(settings, name),
                       .timeout = settings.compute_timeout});
        all.push_back(std::move(*socket));
    }
    return all;
}

std::vector<process::group> compute_groups(app& application, const settings& settings) {
    std::vector<process::group> all;
    for (const std::string& name : compute::names_in(application)) {
        auto run = [&application, &settings, name](process::child& self) {
            return compute(application, settings, name, self);
        };
        all.push_back({.name = group_of(name),
                       .count = processes_for(settings, name),
                       .run = run,
                       .memory = sizeof(stats::compute_figures),
                       .scales = false,
                       .stage = stage,
                       .isolated = true});
    }
    return all;
}

}  // namespace rondo::cli
