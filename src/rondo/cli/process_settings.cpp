// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/process_settings.hpp>

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

// Every connection is a descriptor: the soft limit of 1024 is for programs that use select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// The handler of the C++ library writes to standard error, which may wait for who reads there for ever.
[[noreturn]] void tell_and_abort() noexcept {
    std::string why = "the process ends: std::terminate was called";
    try {
        if (const std::exception_ptr failure = std::current_exception()) std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        why += std::string(" for an exception that nobody caught: ") + e.what();
    } catch (...) {
        why += " for an exception of unknown type that nobody caught";
    }
    log::error(why);
    log::flush();
    std::abort();
}

}  // namespace

void settle_in(const settings& chosen) {
    if (!chosen.chdir.empty() && chdir(chosen.chdir.c_str()))
        throw std::runtime_error(fmt::format("chdir: cannot go to '{}'", chosen.chdir));
    if (chosen.umask) ::umask(static_cast<mode_t>(*chosen.umask));
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    std::set_terminate(tell_and_abort);
    log::threshold(chosen.log_level);
    log::format(chosen.error_log_json);
}

}  // namespace rondo::cli
