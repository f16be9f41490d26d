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

// Those that systemd passed to this process, or to an earlier image of it.
std::vector<process::kept_socket> passed_sockets(process::inheritance& inherited) {
    const std::string key = "passed";
    std::vector<process::kept_socket> all;
    for (int fd : process::passed_descriptors())
        for (net::listening_socket& s : net::listen(net::bind_address::parse(fmt::format("fd://{}", fd))))
            all.push_back({worker_group, key, std::move(s.fd), s.url, {}, true});
    while (auto s = inherited.socket_of(worker_group, key)) all.push_back(std::move(*s));
    return all;
}

// In a process of its own, to see whether the program and its settings would do.
int rehearse(app& application, const settings& chosen, process::inheritance& inherited) {
    std::vector<std::string> in_use;
    settings looked_at = chosen;
    if (!passed_sockets(inherited).empty()) looked_at.binds.clear();
    std::vector<std::string> mistakes = find_mistakes(application, looked_at, in_use);
    for (const std::string& address : in_use)
        if (!inherited.socket_of(worker_group, address) && !inherited.socket_of(admin_group, address))
            mistakes.push_back(fmt::format("{} is in use by another process", address));
    if (chosen.workers == 0)
        mistakes.emplace_back("workers: a reload cannot give up the arbiter; end it and start the program anew");
    for (const std::string& mistake : mistakes) fmt::print(stderr, "{}\n", mistake);
    return mistakes.empty() ? 0 : 1;
}

// Each address is listened on, unless an earlier image of this program does. What was passed goes before all of them.
std::vector<process::kept_socket> listen_on_all(const settings& chosen, process::inheritance& inherited) {
    std::vector<process::kept_socket> all = passed_sockets(inherited);
    if (!all.empty()) return all;
    auto listen = [&](const net::bind_address& at, const std::string& key) {
        bool known = false;
        for (; auto s = inherited.socket_of(worker_group, key); known = true) all.push_back(std::move(*s));
        if (known) return;
        for (net::listening_socket& s : net::listen(at, chosen.listening)) {
            if (!s.file.empty() && !chosen.unix_owner.empty()) process::give(s.file.path, owner_of(chosen.unix_owner));
            all.push_back({worker_group, key, std::move(s.fd), s.url, s.file, s.foreign});
        }
    };
    for (const net::bind_address& at : chosen.binds) {
        try {
            listen(at, address_text(at));
        } catch (const std::exception& e) {
            // A reload must not end what runs.
            if (inherited.what != process::inheritance::kind::reload) throw;
            log::error(codec::without_secrets(e.what()));
        }
    }
    return all;
}

// The admin listener stays where it is when the program is executed anew.
std::vector<process::kept_socket> listen_for_operators(const settings& chosen, process::inheritance& inherited) {
    std::vector<process::kept_socket> all;
    if (!chosen.admin) return all;
    const std::string key = address_text(*chosen.admin);
    while (auto s = inherited.socket_of(admin_group, key)) all.push_back(std::move(*s));
    if (!all.empty()) return all;
    for (net::listening_socket& s : listen_for_admin(chosen)) {
        if (!s.file.empty()) process::give(s.file.path, process::identity_of(chosen.user, chosen.group));
        // As a foreign one it is left open while the workers end: operators want to see that.
        all.push_back({admin_group, key, std::move(s.fd), s.url, s.file, true});
    }
    return all;
}

// What the arbiter left because another one, which USR2 started, could listen there.
void remove_admin_file(const settings& chosen, const socket_file& bound) noexcept {
    if (!bound.is_there()) return;
    try {
        if (net::is_free(*chosen.admin)) bound.remove();
    } catch (const std::exception& e) {
        log::warning(codec::without_secrets(e.what()));
    }
}

std::vector<net::listening_socket> sockets_of_server(std::vector<process::kept_socket> kept) {
    std::vector<net::listening_socket> sockets;
    for (process::kept_socket& s : kept) sockets.push_back({std::move(s.fd), s.url, s.file, s.foreign});
    return sockets;
}

int serve_alone(app& application, const settings& chosen, process::inheritance& inherited) {
    std::vector<process::kept_socket> sockets = listen_on_all(chosen, inherited);
    std::vector<process::kept_socket> admin = listen_for_operators(chosen, inherited);
    process::assume(process::identity_of(chosen.user, chosen.group));
    int status =
        work(application, chosen, sockets_of_server(std::move(sockets)), nullptr, sockets_of_server(std::move(admin)));
    log::flush();
    return status;
}

process::arbiter_options options_of(const settings& chosen, process::executable program) {
    return {.boot_timeout = chosen.boot_timeout,
            .timeout = chosen.timeout,
            .graceful_timeout = chosen.graceful_timeout,
            .pid_file = chosen.pid_file,
            .program = std::move(program),
            .on_ready = nullptr,
            .on_complete = nullptr,
            .on_reopen = [&chosen] {
                try_to_make_log_files(chosen);  // the workers may not be allowed to
                reopen_logs();
            }};
}

// A first start, or a reload, is given up for a log that cannot be opened; a worker that takes the place of another has
// to serve (`complete`: all do already).
process::group worker_group_of(app& application, const settings& chosen, const bool& complete) {
    process::identity who = process::identity_of(chosen.user, chosen.group);
    auto run = [&application, &chosen, &complete, who](process::child& self) {
        process::assume(who);
        const log::opening access_log = complete ? log::opening::optional : log::opening::required;
        return work(application, chosen, sockets_of_server(std::move(self.sockets())), &self, {}, access_log);
    };
    return {.name = worker_group,
            .count = chosen.workers,
            .run = run,
            .memory = sizeof(stats::statistics),
            .scales = true,
            .stage = 0};
}

process::group admin_group_of(const settings& chosen) {
    process::identity who = process::identity_of(chosen.user, chosen.group);
    auto run = [who](process::child& self) {
        process::assume(who);
        return serve_admin(self, worker_group);
    };
    // It tells of the workers until the last of them has ended.
    return {.name = admin_group, .count = 1, .run = run, .memory = 0, .scales = false, .stage = 9, .commands = true};
}

// The workers of all images of a program hear each other: those before a reload and those after it.
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

int serve_with_arbiter(app& application, const settings& chosen, process::executable program,
                       process::inheritance inherited) {
    log::on_calling_thread(true);
    meet(inherited);
    std::vector<process::kept_socket> sockets = listen_on_all(chosen, inherited);
    std::vector<std::string> urls;
    for (const process::kept_socket& s : sockets) urls.push_back(s.url);
    std::vector<process::kept_socket> admin = listen_for_operators(chosen, inherited);
    std::string admin_url = admin.empty() ? "" : admin.front().url;
    const socket_file admin_file = admin.empty() ? socket_file() : admin.front().file;
    std::vector<process::kept_socket> jobs = listen_for_jobs(application, chosen, inherited);
    process::arbiter_options options = options_of(chosen, std::move(program));
    options.on_ready = [&] {
        log::info(start_text(application, chosen, urls, backend_name(chosen.backend), admin_url));
    };
    bool complete = false;
    options.on_complete = [&complete] { complete = true; };
    application.in_arbiter(inherited.what == process::inheritance::kind::reload);
    process::arbiter arbiter(std::move(options), std::move(inherited));
    for (process::kept_socket& s : sockets) arbiter.keep(std::move(s));
    arbiter.add(worker_group_of(application, chosen, complete));
    for (process::group& g : compute_groups(application, chosen)) arbiter.add(std::move(g));
    for (process::kept_socket& s : jobs) arbiter.keep(std::move(s));
    if (!admin.empty()) arbiter.add(admin_group_of(chosen));
    for (process::kept_socket& s : admin) arbiter.keep(std::move(s));
    const int status = arbiter.run();
    remove_admin_file(chosen, admin_file);
    return status;
}

}  // namespace

int serve(app& application, const settings& chosen) {
    process::inheritance inherited = process::inheritance::take();
    process::executable program = process::executable::of_this_process();
    settle_in(chosen);
    if (inherited.what == process::inheritance::kind::check) return rehearse(application, chosen, inherited);
    application.check();
    require_known_computers(application, chosen);
    try {
        log::to(chosen.error_log);
        make_log_files(chosen);
    } catch (const std::exception& e) {
        // Somebody made it impossible since the check, when there is no image left to go back to: what runs goes on.
        if (inherited.what != process::inheritance::kind::reload) throw;
        log::to("-");
        log::error(e.what());
    }
    const int status = chosen.workers == 0
                           ? serve_alone(application, chosen, inherited)
                           : serve_with_arbiter(application, chosen, std::move(program), std::move(inherited));
    log::flush_standard_streams();  // exit() would wait for who reads them
    return status;
}

}  // namespace rondo::cli
