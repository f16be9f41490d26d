// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/serve.hpp>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/log_output.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/cli/access_log.hpp>
#include <rondo/cli/admin_listener.hpp>
#include <rondo/cli/apply_process_settings.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/special_rows.hpp>
#include <rondo/cli/validate.hpp>
#include <rondo/cli/worker.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/process/arbiter.hpp>
#include <rondo/process/privileges.hpp>
#include <rondo/process/systemd.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::cli {

namespace {

const std::string worker_group = "worker";
const std::string admin_group = "admin";

process::identity parse_owner(const std::string& text) {
    std::size_t colon = text.find(':');
    return process::resolve_identity(text.substr(0, colon), colon == text.npos ? "" : text.substr(colon + 1));
}

// The sockets that systemd passed to this process, or to an earlier image of it.
std::vector<process::managed_listener> passed_listeners(process::handover& inherited) {
    const std::string key = "passed";
    std::vector<process::managed_listener> listeners;
    for (int fd : process::take_listen_fds())
        for (net::listening_socket& s : net::listen(net::bind_address::parse(fmt::format("fd://{}", fd))))
            listeners.push_back({worker_group, key, std::move(s.fd), s.url, {}, true});
    while (auto s = inherited.take_listener(worker_group, key)) listeners.push_back(std::move(*s));
    return listeners;
}

// Run in a process of its own before a reload, with the new program and settings. Returns the exit status.
int check_config(served& application, const server_settings& settings, process::handover& inherited) {
    std::vector<std::string> in_use;
    cli::server_settings checked = settings;
    if (!passed_listeners(inherited).empty()) checked.binds.clear();
    std::vector<std::string> errors = validate(application, checked, in_use);
    for (const std::string& address : in_use)
        if (!inherited.take_listener(worker_group, address) && !inherited.take_listener(admin_group, address))
            errors.push_back(fmt::format("{} is in use by another process", address));
    if (settings.workers == 0) errors.emplace_back("workers: cannot be set to 0 by a reload; restart the server");
    for (const std::string& error : errors) fmt::print(stderr, "{}\n", error);
    return errors.empty() ? 0 : 1;
}

// Listens on all addresses, reusing the sockets of an earlier image of this program. Passed sockets replace them all.
std::vector<process::managed_listener> open_listeners(const server_settings& settings, process::handover& inherited) {
    std::vector<process::managed_listener> listeners = passed_listeners(inherited);
    if (!listeners.empty()) return listeners;
    auto listen = [&](const net::bind_address& address, const std::string& key) {
        bool is_inherited = false;
        for (; auto s = inherited.take_listener(worker_group, key); is_inherited = true)
            listeners.push_back(std::move(*s));
        if (is_inherited) return;
        for (net::listening_socket& s : net::listen(address, settings.listening)) {
            if (!s.file.empty() && !settings.unix_owner.empty())
                process::change_owner(s.file.path, parse_owner(settings.unix_owner));
            listeners.push_back({worker_group, key, std::move(s.fd), s.url, s.file, s.externally_owned});
        }
    };
    for (const net::bind_address& address : settings.binds) {
        try {
            listen(address, address.text());
        } catch (const std::exception& e) {
            // A reload must not stop a running server.
            if (inherited.reason != process::handover::kind::reload) throw;
            log::error(codec::redacted_text(e.what()));
        }
    }
    return listeners;
}

// The admin listener survives a reload.
std::vector<process::managed_listener> open_admin_listeners(const server_settings& settings,
                                                            process::handover& inherited) {
    std::vector<process::managed_listener> listeners;
    if (!settings.admin) return listeners;
    const std::string key = settings.admin->text();
    while (auto s = inherited.take_listener(admin_group, key)) listeners.push_back(std::move(*s));
    if (!listeners.empty()) return listeners;
    for (net::listening_socket& s : listen_admin(settings)) {
        if (!s.file.empty())
            process::change_owner(s.file.path, process::resolve_identity(settings.user, settings.group));
        // Externally owned, so that it stays open for operators while the workers drain.
        listeners.push_back({admin_group, key, std::move(s.fd), s.url, s.file, true});
    }
    return listeners;
}

// The arbiter keeps this file, as a new arbiter started by USR2 may listen on it. Removes it when unused.
void remove_admin_file(const server_settings& settings, const socket_file& bound) noexcept {
    if (!bound.is_present()) return;
    try {
        if (net::is_free(*settings.admin)) bound.remove();
    } catch (const std::exception& e) {
        log::warning(codec::redacted_text(e.what()));
    }
}

std::vector<net::listening_socket> to_listening_sockets(std::vector<process::managed_listener> managed) {
    std::vector<net::listening_socket> sockets;
    for (process::managed_listener& s : managed)
        sockets.push_back({std::move(s.fd), s.url, s.file, s.externally_owned});
    return sockets;
}

int serve_without_arbiter(served& application, const server_settings& settings, process::handover& inherited) {
    std::vector<process::managed_listener> sockets = open_listeners(settings, inherited);
    std::vector<process::managed_listener> admin = open_admin_listeners(settings, inherited);
    process::drop_privileges(process::resolve_identity(settings.user, settings.group));
    int status = run_worker(application, settings, to_listening_sockets(std::move(sockets)), nullptr,
                            to_listening_sockets(std::move(admin)));
    log::flush();
    return status;
}

process::arbiter_options make_arbiter_options(served& application, const server_settings& settings,
                                              process::executable program) {
    return {.boot_timeout = settings.boot_timeout,
            .timeout = settings.timeout,
            .graceful_timeout = settings.graceful_timeout,
            .pid_file = settings.pid_file,
            .program = std::move(program),
            .on_ready = nullptr,
            .on_generation_ready = nullptr,
            .on_reopen_logs =
                [&settings] {
                    try_create_log_files(settings);  // the workers may lack the permissions
                    reopen_logs();
                },
            .fork_hooks = application.fork_hooks()};
}

// A start or a reload fails when a log cannot be opened; a worker that replaces another serves without it (`complete`:
// all workers have started).
process::group_options make_worker_group(served& application, const server_settings& settings, const bool& complete) {
    process::identity identity = process::resolve_identity(settings.user, settings.group);
    auto run = [&application, &settings, &complete, identity](process::child& self) {
        process::drop_privileges(identity);
        const log::open_policy access_log = complete ? log::open_policy::optional : log::open_policy::required;
        return run_worker(application, settings, to_listening_sockets(std::move(self.listeners())), &self, {},
                          access_log);
    };
    return {.name = worker_group,
            .count = settings.workers,
            .run = run,
            .memory = sizeof(stats::worker_stats),
            .scalable = true,
            .stage = 0};
}

process::group_options make_admin_group(const server_settings& settings) {
    process::identity identity = process::resolve_identity(settings.user, settings.group);
    auto run = [identity](process::child& self) {
        process::drop_privileges(identity);
        return serve_admin(self, worker_group);
    };
    // The last stage: it reports on the workers until all of them have exited.
    return {.name = admin_group,
            .count = 1,
            .run = run,
            .memory = 0,
            .scalable = false,
            .stage = 9,
            .may_send_commands = true};
}

// The workers before and after a reload discover each other as peers.
void set_discovery_name(const process::handover& inherited) {
    constexpr const char* variable = "RONDO_PEER_DISCOVERY";
    const char* inherited_name = inherited.reason == process::handover::kind::none ? nullptr : std::getenv(variable);
    peer_discovery::set_name(inherited_name ? inherited_name : peer_discovery::make_name());
    setenv(variable, peer_discovery::name().c_str(), 1);
}

std::string_view backend_name(backend_kind kind) {
    if (kind == backend_kind::automatic) kind = io_uring_available() ? backend_kind::io_uring : backend_kind::epoll;
    return kind == backend_kind::io_uring ? "io_uring" : "epoll";
}

int serve_with_arbiter(served& application, const server_settings& settings, process::executable program,
                       process::handover inherited) {
    log::set_synchronous(true);
    set_discovery_name(inherited);
    std::vector<process::managed_listener> sockets = open_listeners(settings, inherited);
    std::vector<std::string> urls;
    for (const process::managed_listener& s : sockets) urls.push_back(s.url);
    std::vector<process::managed_listener> admin = open_admin_listeners(settings, inherited);
    std::string admin_url = admin.empty() ? "" : admin.front().url;
    const socket_file admin_file = admin.empty() ? socket_file() : admin.front().file;
    std::vector<process::managed_listener> jobs = application.listen_for_jobs(settings, inherited);
    process::arbiter_options options = make_arbiter_options(application, settings, std::move(program));
    options.on_ready = [&] {
        log::info(startup_message(application, settings, urls, backend_name(settings.backend), admin_url));
    };
    bool complete = false;
    options.on_generation_ready = [&complete] { complete = true; };
    application.on_arbiter_start(inherited.reason == process::handover::kind::reload);
    process::arbiter arbiter(std::move(options), std::move(inherited));
    for (process::managed_listener& s : sockets) arbiter.add_listener(std::move(s));
    arbiter.add_group(make_worker_group(application, settings, complete));
    for (process::group_options& g : application.compute_groups(settings)) arbiter.add_group(std::move(g));
    for (process::managed_listener& s : jobs) arbiter.add_listener(std::move(s));
    if (!admin.empty()) arbiter.add_group(make_admin_group(settings));
    for (process::managed_listener& s : admin) arbiter.add_listener(std::move(s));
    const int status = arbiter.run();
    remove_admin_file(settings, admin_file);
    return status;
}

}  // namespace

int serve(served& application, const server_settings& settings) {
    process::handover inherited = process::handover::from_environment();
    process::executable program = process::executable::current();
    apply_process_settings(settings);
    if (inherited.reason == process::handover::kind::check) return check_config(application, settings, inherited);
    application.prepare_to_serve(settings);
    try {
        log::set_file(settings.error_log);
        create_log_files(settings);
    } catch (const std::exception& e) {
        // Opening the log became impossible after the check, when the reload can no longer be undone: keep serving.
        if (inherited.reason != process::handover::kind::reload) throw;
        log::set_file("-");
        log::error(e.what());
    }
    const int status = settings.workers == 0
                           ? serve_without_arbiter(application, settings, inherited)
                           : serve_with_arbiter(application, settings, std::move(program), std::move(inherited));
    log::flush_standard_streams();  // exit() would block when their reader has stopped
    return status;
}

}  // namespace rondo::cli
