// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <rondo/base/log.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/net/address.hpp>
#include <rondo/server/options.hpp>

namespace rondo::cli {

enum class access_format : unsigned char { combined, json };

/// Everything that can be set from outside. Only this folder reads flags and the environment.
struct settings {
    std::vector<net::bind_address> binds;  ///< 127.0.0.1:8000 when none is given
    net::listen_options listening;
    backend_kind backend = backend_kind::automatic;
    std::size_t threads = 32;
    std::size_t thread_queue = 1024;
    std::size_t compute_threads = 0;  ///< 0: one per core
    std::size_t compute_queue = 256;
    server::options limits;
    std::chrono::milliseconds graceful_timeout{30'000};
    std::chrono::milliseconds stall_threshold{50};
    std::string access_log = "off";  ///< "off", "-" or a path
    access_format format = access_format::combined;
    std::string error_log = "-";
    log::level log_level = log::level::info;
};

enum class command : unsigned char { serve, routes, check, version };

struct invocation {
    command what = command::serve;
    settings chosen;
};

/// Reads the command line and the environment (RONDO_...). Nothing when there is nothing left to do (--help was
/// printed, or an error: then `status` is not 0 and a sentence was written to standard error).
[[nodiscard]] std::optional<invocation> parse_command_line(int argc, const char* const* argv, int& status);

}  // namespace rondo::cli
