// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/apply_process_settings.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo::cli {

namespace {

// Every connection needs a descriptor; the soft limit of 1024 only protects programs that use select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// The default handler writes to standard error, which blocks forever when its reader has stopped reading.
[[noreturn]] void log_and_abort() noexcept {
    std::string reason = "terminating: std::terminate was called";
    try {
        if (const std::exception_ptr failure = std::current_exception()) std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        reason += std::string(" for an uncaught exception: ") + e.what();
    } catch (...) {
        reason += " for an uncaught exception of unknown type";
    }
    log::error(reason);
    log::flush();
    std::abort();
}

}  // namespace

void apply_process_settings(const server_settings& settings) {
    if (!settings.chdir.empty() && chdir(settings.chdir.c_str()))
        throw std::runtime_error(fmt::format("chdir: cannot change to directory '{}'", settings.chdir));
    if (settings.umask) ::umask(static_cast<mode_t>(*settings.umask));
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    std::set_terminate(log_and_abort);
    log::set_level(settings.log_level);
    log::set_json(settings.error_log_json);
}

}  // namespace rondo::cli
