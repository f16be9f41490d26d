// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settle_in.hpp>

#include <csignal>
#include <stdexcept>

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

}  // namespace

void settle_in(const settings& chosen) {
    if (!chosen.chdir.empty() && chdir(chosen.chdir.c_str()))
        throw std::runtime_error(fmt::format("chdir: cannot go to '{}'", chosen.chdir));
    if (chosen.umask) ::umask(static_cast<mode_t>(*chosen.umask));
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    log::threshold(chosen.log_level);
    log::format(chosen.error_log_json);
}

}  // namespace rondo::cli
