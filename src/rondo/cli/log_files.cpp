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

// A log that cannot be opened is no reason to end: the old one is written on.
template <class Function>
void or_log(const Function& open) noexcept {
    try {
        open();
    } catch (const std::exception& e) {
        try {
            log::error(codec::without_secrets(e.what()));
        } catch (const std::exception&) {
            log::error("a log file cannot be opened");
        }
    }
}

}  // namespace

void make_log_file(const std::string& path, const settings& chosen) {
    if (path == "-" || path == "off") return;
    log::make_file(path);
    if (geteuid() == 0) process::give(path, process::identity_of(chosen.user, chosen.group));
}

void make_log_files(const settings& chosen) {
    make_log_file(chosen.access_log, chosen);
    make_log_file(chosen.error_log, chosen);
}

void try_to_make_log_files(const settings& chosen) noexcept {
    or_log([&chosen] { make_log_file(chosen.access_log, chosen); });
    or_log([&chosen] { make_log_file(chosen.error_log, chosen); });
}

void reopen_logs(access_log_file* access) noexcept {
    or_log([] { log::reopen(); });
    or_log([access] {
        if (access) access->reopen();
    });
}

}  // namespace rondo::cli
