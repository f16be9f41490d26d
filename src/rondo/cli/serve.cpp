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
#include <rondo/cli/compute_processes.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/cli/process_settings.hpp>
#include <rondo/cli/settings/parsers.hpp>
#include <rondo/cli/validate.hpp>
#include <rondo/cli/worker.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/process/arbiter.hpp>
#include <rondo/process/privileges.hpp>
#include <rondo/process/systemd_notifier.hpp>
#include <rondo/stats/worker_stats.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

const std::string worker_group = "worker";
const std::string admin_group = "admin";

process::identity owner_of(const std::string& text) {
    std::size_t colon = text.find(':');
    return process::identity_of(text.substr(0, colon), colon == text.npos ? "" : text.substr(colon + 1));
}

// The sockets that systemd passed to this process, or to an earlier image of it.
std::vector<process::kept_socket> passed_sockets(process::inheritance& inherited) {
    const std::string key = "passed";
    std::vector<process::kept_socket> all;
    for (int fd : process::passed_descriptors())
        for (net::listening_socket& s : net::listen(net::bind_address::parse(fmt::format("fd://{}", fd))))
            all.push_back({worker_group, key, std::move(s.fd), s.url, {}, true});
    while (auto s = inherited.socket_of(worker_group, key)) all.push_back(std::move(*s));
    return all;
}

// Run in a process of its own before a reload, with the new program and settings. Returns the exit status.
int rehearse(app& application, const settings& settings, process::inheritance& inherited) {
    std::vector<std::string> in_use;
    cli::settings checked = settings;
    if (!passed_sockets(inherited).empty()) checked.binds.clear();
    std::vector<std::string> errors = find_mistakes(application, checked, in_use);
    for (const std::string& address : in_use)
        if (!inherited.socket_of(worker_group, address) && !inherited.socket_of(admin_group, address))
            errors.push_back(fmt::format("{} is in use by another process", address));
    if (settings.workers == 0) errors.emplace_back("workers: cannot be set to 0 by a reload; restart the server");
    for (const std::string& error : errors) fmt::print(stderr, "{}\n", error);
    return errors.empty() ? 0 : 1;
}

// Listens on all addresses, reusing the sockets of an earlier image of this program. Passed sockets replace them all.
std::vector<process::kept_socket> listen_on_all(const settings& settings, process::inheritance& inherited) {
    std::vector<process::kept_socket> all = passed_sockets(inherited);
    if (!all.empty()) return all;
    auto listen = [&](const net::bind_address& address, const std::string& key) {
        bool is_inherited = false;
        for (; auto s = inherited.socket_of(worker_group, key); is_inherited = true) all.push_back(std::move(*s));
        if (is_inherited) return;
        for (net::listening_socket& s : net::listen(address, settings.listening)) {
            if (!s.file.empty() && !settings.unix_owner.empty())
                process::give(s.file.path, owner_of(settings.unix_owner));
            all.push_back({worker_group, key, std::move(s.fd), s.url, s.file, s.foreign});
        }
    };
    for (const net::bind_address& address : settings.binds) {
        try {
            listen(address, address_text(address));
        } catch (const std::exception& e) {
            // A reload must not stop a running server.
            if (inherited.what != process::inheritance::kind::reload) throw;
            log::error(codec::without_secrets(e.what()));
        }
    }
    return all;
}

// The admin listener survives a reload.
std::vector<process::kept_socket> listen_for_operators(const settings& settings, process::inheritance& inherited) {
    std::vector<process::kept_socket> all;
    if (!settings.admin) return all;
    const std::string key = address_text(*settings.admin);
    while (auto s = inherited.socket_of(admin_group, key)) all.push_back(std::move(*s));
    if (!all.empty()) return all;
    for (net::listening_socket& s : listen_for_admin(settings)) {
        if (!s.file.empty()) process::give(s.file.path, process::identity_of(settings.user, settings.group));
        // Externally owned, so that it stays open for operators while the workers drain.
        all.push_back({admin_group, key, std::move(s.fd), s.url, s.file, true});
    }
    return all;
}

// The arbiter keeps this file, as a new arbiter started by USR2 may listen on it. Removes it when unused.
void remove_admin_file(const settings& settings, const socket_file& bound) noexcept {
    if (!bound.is_there()) return;
    try {
        if (net::is_free(*settings.admin)) bound.remove();
    } catch (const std::exception& e) {
        log::warning(codec::without_secrets(e.what()));
    }
}

std::vector<net::listening_socket> sockets_of_server(std::vector<process::kept_socket> managed) {
    std::vector<net::listening_socket> sockets;
    for (process::kept_socket& s : managed) sockets.push_back({std::move(s.fd), s.url, s.file, s.foreign});
    return sockets;
}

int serve_alone(app& application, const settings& settings, process::inheritance& inherited) {
    std::vector<process::kept_socket> sockets = listen_on_all(settings, inherited);
    std::vector<process::kept_socket> admin = listen_for_operators(settings, inherited);
    process::assume(process::identity_of(settings.user, settings.group));
    int status = work(application, settings, sockets_of_server(std::move(sockets)), nullptr,
                      sockets_of_server(std::move(admin)));
    log::flush();
    return status;
}

process::arbiter_options options_of(const settings& settings, process::executable program) {
    return {.boot_timeout = settings.boot_timeout,
            .timeout = settings.timeout,
            .graceful_timeout = settings.graceful_timeout,
            .pid_file = settings.pid_file,
            .program = std::move(program),
            .on_ready = nullptr,
            .on_complete = nullptr,
            .on_reopen = [&settings] {
                try_to_make_log_files(settings);  // the workers may lack the permissions
                reopen_logs();
            }};
}

// A start or a reload fails when a log cannot be opened; a worker that replaces another serves without it (`complete`:
// all workers have started).
process::group worker_group_of(app& application, const settings& settings, const bool& complete) {
    process::identity identity = process::identity_of(settings.user, settings.group);
    auto run = [&application, &settings, &complete, identity](process::child& self) {
        process::assume(identity);
        const log::opening access_log = complete ? log::opening::optional : log::opening::required;
        return work(application, settings, sockets_of_server(std::move(self.sockets())), &self, {}, access_log);
    };
    return {.name = worker_group,
            .count = settings.workers,
            .run = run,
            .memory = sizeof(stats::statistics),
            .scales = true,
            .stage = 0};
}

process::group admin_group_of(const settings& settings) {
    process::identity identity = process::identity_of(settings.user, settings.group);
    auto run = [identity](process::child& self) {
        process::assume(identity);
        return serve_admin(self, worker_group);
    };
    // The last stage: it reports on the workers until all of them have exited.
    return {.name = admin_group, .count = 1, .run = run, .memory = 0, .scales = false, .stage = 9, .commands = true};
}

// The workers before and after a reload discover each other as peers.
void meet(const process::inheritance& inherited) {
    constexpr const char* variable = "RONDO_RENDEZVOUS";
    const char* known = inherited.what == process::inheritance::kind::none ? nullptr : std::getenv(variable);
    rendezvous::set(known ? known : rendezvous::make_name());
    setenv(variable, rendezvous::name().c_str(), 1);
}

std::string_view backend_name(backend_kind kind) {
    if (kind == backend_kind::automatic) kind = io_uring_available() ? backend_kind::io_uring : backend_kind::epoll;
    return kind == backend_kind::io_uring ? "io_uring" : "epoll";
}

int serve_with_arbiter(app& application, const settings& settings, process::executable program,
                       process::inheritance inherited) {
    log::on_calling_thread(true);
    meet(inherited);
    std::vector<process::kept_socket> sockets = listen_on_all(settings, inherited);
    std::vector<std::string> urls;
    for (const process::kept_socket& s : sockets) urls.push_back(s.url);
    std::vector<process::kept_socket> admin = listen_for_operators(settings, inherited);
    std::string admin_url = admin.empty() ? "" : admin.front().url;
    const socket_file admin_file = admin.empty() ? socket_file() : admin.front().file;
    std::vector<process::kept_socket> jobs = listen_for_jobs(application, settings, inherited);
    process::arbiter_options options = options_of(settings, std::move(program));
    options.on_ready = [&] {
        log::info(start_text(application, settings, urls, backend_name(settings.backend), admin_url));
    };
    bool complete = false;
    options.on_complete = [&complete] { complete = true; };
    application.in_arbiter(inherited.what == process::inheritance::kind::reload);
    process::arbiter arbiter(std::move(options), std::move(inherited));
    for (process::kept_socket& s : sockets) arbiter.keep(std::move(s));
    arbiter.add(worker_group_of(application, settings, complete));
    for (process::group& g : compute_groups(application, settings)) arbiter.add(std::move(g));
    for (process::kept_socket& s : jobs) arbiter.keep(std::move(s));
    if (!admin.empty()) arbiter.add(admin_group_of(settings));
    for (process::kept_socket& s : admin) arbiter.keep(std::move(s));
    const int status = arbiter.run();
    remove_admin_file(settings, admin_file);
    return status;
}

}  // namespace

int serve(app& application, const settings& settings) {
    process::inheritance inherited = process::inheritance::take();
    process::executable program = process::executable::of_this_process();
    settle_in(settings);
    if (inherited.what == process::inheritance::kind::check) return rehearse(application, settings, inherited);
    application.check();
    require_known_computers(application, settings);
    try {
        log::to(settings.error_log);
        make_log_files(settings);
    } catch (const std::exception& e) {
        // Opening the log became impossible after the check, when the reload can no longer be undone: keep serving.
        if (inherited.what != process::inheritance::kind::reload) throw;
        log::to("-");
        log::error(e.what());
    }
    const int status = settings.workers == 0
                           ? serve_alone(application, settings, inherited)
                           : serve_with_arbiter(application, settings, std::move(program), std::move(inherited));
    log::flush_standard_streams();  // exit() would block when their reader has stopped
    return status;
}

}  // namespace rondo::cli
