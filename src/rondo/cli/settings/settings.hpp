// SPDX-License-Identifier: Apache-2.0
// The values of all settings of the framework, with their defaults.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <rondo/base/log.hpp>
#include <rondo/cli/usable_cpus.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/server/options.hpp>
#include <rondo/web/app_settings.hpp>

namespace rondo::cli {

/// How a worker runs views.
enum class worker_class : unsigned char { async, threads, sync };

/// Compute processes of one name: --compute-workers NAME=N.
struct compute_pool_setting {
    std::string name;
    std::size_t count = 0;
};

/// All settings of the framework; table.cpp maps them to names. Defaults are defined here or in the options of the
/// component that uses them, and nowhere else. Only this directory reads flags, the environment and files.
struct server_settings {
    // Listening.
    std::vector<net::bind_address> binds;  ///< 127.0.0.1:8000 by default
    std::vector<int> inherited_fds;        ///< --fd; also contained in `binds`
    net::listen_options listening;         ///< backlog; mode of unix sockets
    std::string unix_owner;                ///< USER, USER:GROUP or :GROUP; empty: unchanged

    // Workers and their arbiter.
    std::size_t workers = usable_cpus();  ///< processes; 0: serve in this process, without an arbiter
    worker_class kind = worker_class::async;
    backend_kind backend = backend_kind::automatic;
    std::size_t threads = 32;  ///< of each process
    std::size_t thread_queue = 1024;
    std::size_t compute_threads = 0;  ///< of each process; 0: see compute_threads_per_worker()
    std::vector<compute_pool_setting> compute;
    std::size_t compute_queue = 256;
    std::chrono::milliseconds compute_timeout{60'000};
    std::uint64_t compute_memory = 0;           ///< bytes per compute process; 0: no limit
    std::chrono::milliseconds timeout{30'000};  ///< without a heartbeat of a worker; 0: no limit
    std::chrono::milliseconds boot_timeout{60'000};
    std::chrono::milliseconds graceful_timeout{30'000};
    std::chrono::milliseconds stall_threshold{50};
    std::uint64_t max_requests = 0;  ///< 0: never
    std::uint64_t max_requests_jitter = 0;
    std::uint64_t max_rss = 0;             ///< bytes; 0: never
    std::chrono::milliseconds max_age{0};  ///< 0: never

    // The process.
    std::string user;   ///< name or number; empty: unchanged
    std::string group;  ///< likewise
    std::optional<unsigned> umask;
    std::string pid_file;
    std::string chdir;
    std::optional<net::bind_address> admin;  ///< the admin listener; none by default
    bool admin_remote = false;               ///< other machines may reach the admin listener

    server::options limits;

    // Logs.
    std::string access_log = "off";  ///< "off", "-" or a path
    std::string access_log_format = "combined";
    std::string error_log = "-";
    bool error_log_json = false;
    log::level log_level = log::level::info;

    // Read by applications with app.settings().
    app_settings data;
};

/// Compute threads that each worker may start: as set, else its share of the usable CPUs, at least 1.
[[nodiscard]] std::size_t compute_threads_per_worker(const server_settings& settings) noexcept;

}  // namespace rondo::cli
