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

const std::string job_socket_key = "jobs";

// Stops after the workers, which wait for their jobs, and before the admin listener.
constexpr unsigned compute_stage = 5;

std::string group_name(const std::string& name) { return std::string(compute::group_prefix) + name; }

std::size_t process_count(const server_settings& settings, const std::string& name) {
    const auto found = std::ranges::find(settings.compute, name, &compute_pool_setting::name);
    return found == settings.compute.end() ? 1 : found->count;
}

void limit_memory(std::uint64_t bytes) {
    if (bytes == 0) return;
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_AS, &limit))
        throw std::system_error(errno, std::generic_category(), "compute-memory: cannot set the limit");
}

int run_compute_process(app& application, const server_settings& settings, const std::string& name,
                        process::child& self) {
    process::drop_privileges(process::resolve_identity(settings.user, settings.group));
    limit_memory(settings.compute_memory);
    stack_trace::prepare();
    auto& job_stats = stats::compute_stats::attach(self.memory());
    job_stats.on_process_start(getpid());
    compute::worker_options options{.name = name,
                                    .socket = self.listeners().at(0).fd.value(),
                                    .timeout = settings.compute_timeout,
                                    .on_ready = [&self] { self.set_ready(); },
                                    .on_stopping = [&self] { self.set_draining(); },
                                    .on_heartbeat = nullptr,
                                    .job_stats = &job_stats};
    options.on_heartbeat = [&self](instant until) {
        self.extend_heartbeat(until.time_since_epoch().count());
        dump_stacks_if_requested(self);
    };
    compute::run_worker(application, options);
    return 0;
}

}  // namespace

void require_known_compute_pools(app& application, const server_settings& settings) {
    const std::vector<std::string> names = compute::isolated_names(application);
    for (const compute_pool_setting& w : settings.compute) {
        if (std::ranges::find(names, w.name) != names.end()) continue;
        if (names.empty())
            throw std::runtime_error(
                fmt::format("compute-workers: unknown name '{}'; the application has no isolated views", w.name));
        throw std::runtime_error(fmt::format("compute-workers: unknown name '{}'; isolated views are named '{}'",
                                             w.name, fmt::join(names, "', '")));
    }
}

std::vector<process::managed_listener> listen_for_jobs(app& application, const server_settings& settings,
                                                       process::handover& inherited) {
    std::vector<process::managed_listener> listeners;
    for (const std::string& name : compute::isolated_names(application)) {
        const std::string group = group_name(name);
        // During a binary upgrade each arbiter has its own socket, so that jobs stay within one image.
        std::optional<process::managed_listener> socket;
        if (inherited.reason == process::handover::kind::reload)
            socket = inherited.take_listener(group, job_socket_key);
        if (!socket) {
            compute::job_socket job_socket = compute::listen_for_jobs();
            // Externally owned, so that it stays open for the jobs of draining workers.
            socket = process::managed_listener{group, job_socket_key, std::move(job_socket.fd), job_socket.address, {},
                                               true};
        }
        compute::attach(application, name,
                        {.address = socket->url,
                         .socket = socket->fd.value(),
                         .max_jobs = settings.compute_queue + process_count(settings, name),
                         .timeout = settings.compute_timeout});
        listeners.push_back(std::move(*socket));
    }
    return listeners;
}

std::vector<process::group_options> compute_groups(app& application, const server_settings& settings) {
    std::vector<process::group_options> groups;
    for (const std::string& name : compute::isolated_names(application)) {
        auto run = [&application, &settings, name](process::child& self) {
            return run_compute_process(application, settings, name, self);
        };
        groups.push_back({.name = group_name(name),
                          .count = process_count(settings, name),
                          .run = run,
                          .memory = sizeof(stats::compute_stats),
                          .scalable = false,
                          .stage = compute_stage,
                          .isolated = true});
    }
    return groups;
}

}  // namespace rondo::cli
