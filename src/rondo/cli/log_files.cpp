// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/log_files.hpp>

#include <exception>
#include <string>

#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/process/privileges.hpp>

namespace rondo::cli {

namespace {

// Logs a failure to open a log file; the old file stays in use.
template <class Function>
void or_log(const Function& open) noexcept {
    try {
        open();
    } catch (const std::exception& e) {
        try {
            log::error(codec::without_secrets(e.what()));
        } catch (const std::exception&) {
            log::error("cannot open a log file");
        }
    }
}

}  // namespace

void make_log_file(const std::string& path, const settings& settings) {
    if (path == "-" || path == "off") return;
    log::make_file(path);
    if (geteuid() == 0) process::give(path, process::identity_of(settings.user, settings.group));
}

void make_log_files(const settings& settings) {
    make_log_file(settings.access_log, settings);
    make_log_file(settings.error_log, settings);
}

void try_to_make_log_files(const settings& settings) noexcept {
    or_log([&settings] { make_log_file(settings.access_log, settings); });
    or_log([&settings] { make_log_file(settings.error_log, settings); });
}

void reopen_logs(access_log_file* access) noexcept {
    or_log([] { log::reopen(); });
    or_log([access] {
        if (access) access->reopen();
    });
}

}  // namespace rondo::cli
