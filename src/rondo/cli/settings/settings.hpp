// SPDX-License-Identifier: Apache-2.0
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
#include <rondo/net/address.hpp>
#include <rondo/server/options.hpp>
#include <rondo/web/app_settings.hpp>

namespace rondo::cli {

/// Where the views of a worker run: design section 4.
enum class worker_class : unsigned char { async, threads, sync };

/// Compute processes of one name: --compute-workers NAME=N.
struct compute_workers {
    std::string name;
    std::size_t count = 0;
};

/// Everything of the framework that can be set from outside; setting_table.cpp says by which names. A default stands
/// here, or in the options of the folder that uses it, and nowhere else. Only this folder reads flags, the environment
/// and files.
struct settings {
    // Listening.
    std::vector<net::bind_address> binds;  ///< 127.0.0.1:8000 when none is given
    std::vector<int> inherited;            ///< --fd; they are in `binds` too
    net::listen_options listening;         ///< backlog; mode of unix sockets
    std::string unix_owner;                ///< USER, USER:GROUP or :GROUP; empty: whoever runs the program

    // Workers and their arbiter.
    std::size_t workers = usable_cores();  ///< processes; 0: this process serves, without an arbiter
    worker_class kind = worker_class::async;
    backend_kind backend = backend_kind::automatic;
    std::size_t threads = 32;  ///< of each process
    std::size_t thread_queue = 1024;
    std::size_t compute_threads = 0;  ///< of each process; 0: see compute_threads_of()
    std::vector<compute_workers> compute;
    std::size_t compute_queue = 256;
    std::chrono::milliseconds compute_timeout{60'000};
    std::uint64_t compute_memory = 0;           ///< bytes of a compute process; 0: no limit
    std::chrono::milliseconds timeout{30'000};  ///< without a sign of life of a worker; 0: for ever
    std::chrono::milliseconds boot_timeout{60'000};
    std::chrono::milliseconds graceful_timeout{30'000};
    std::chrono::milliseconds stall_threshold{50};
    std::uint64_t max_requests = 0;  ///< 0: never
    std::uint64_t max_requests_jitter = 0;
    std::uint64_t max_rss = 0;             ///< bytes; 0: never
    std::chrono::milliseconds max_age{0};  ///< 0: never

    // The process.
    std::string user;   ///< name or number; empty: stays as it is
    std::string group;  ///< the same
    std::optional<unsigned> umask;
    std::string pid_file;
    std::string chdir;
    std::optional<net::bind_address> admin;  ///< where operators ask; nothing: nowhere
    bool admin_remote = false;               ///< others than this machine may reach it

    server::options limits;

    // Logs.
    std::string access_log = "off";  ///< "off", "-" or a path
    std::string access_log_format = "combined";
    std::string error_log = "-";
    bool error_log_json = false;
    log::level log_level = log::level::info;

    // What an application reads with app.settings().
    app_settings data;
};

/// How many each worker may start: as set, else its share of the usable cores, at least 1.
[[nodiscard]] std::size_t compute_threads_of(const settings& chosen) noexcept;

}  // namespace rondo::cli
