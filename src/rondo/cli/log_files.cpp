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
void log_failure(const Function& open) noexcept {
    try {
        open();
    } catch (const std::exception& e) {
        try {
            log::error(codec::redacted_text(e.what()));
        } catch (const std::exception&) {
            log::error("cannot open a log file");
        }
    }
}

}  // namespace

void create_log_file(const std::string& path, const server_settings& settings) {
    if (path == "-" || path == "off") return;
    log::create_file(path);
    if (geteuid() == 0) process::change_owner(path, process::resolve_identity(settings.user, settings.group));
}

void create_log_files(const server_settings& settings) {
    create_log_file(settings.access_log, settings);
    create_log_file(settings.error_log, settings);
}

void try_create_log_files(const server_settings& settings) noexcept {
    log_failure([&settings] { create_log_file(settings.access_log, settings); });
    log_failure([&settings] { create_log_file(settings.error_log, settings); });
}

void reopen_logs(access_log_file* access) noexcept {
    log_failure([] { log::reopen(); });
    log_failure([access] {
        if (access) access->reopen();
    });
}

}  // namespace rondo::cli
