// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/validate.hpp>

#include <cerrno>
#include <exception>
#include <functional>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/admin/admin_app.hpp>
#include <rondo/base/trusted_path.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/special_rows.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo::cli {

namespace {

void collect_error(std::vector<std::string>& errors, const std::function<void()>& check) {
    try {
        check();
    } catch (const std::exception& e) {
        errors.push_back(codec::redacted_text(e.what()));
    }
}

// Throws when a file cannot be written or created. Checks exactly what opening it requires, because a reload cannot be
// undone when opening fails.
void require_writable(std::string_view setting, const std::string& path) {
    const auto fail = [&](std::string_view reason) {
        throw std::runtime_error(fmt::format("{}: '{}' {}", setting, path, reason));
    };
    resolved_path file;
    try {
        file = resolve_trusted_path(path);
    } catch (const std::system_error& e) {
        if (e.code() == std::errc::is_a_directory) fail("is a directory; expected a file");
        fail(fmt::format("cannot be written: {}", e.what()));
    }
    const int directory = file.directory.value();
    const bool no_links = geteuid() == 0 && !is_system_path(path) && setting != "pid";
    struct stat status{};
    if (!fstatat(directory, file.name.c_str(), &status, no_links ? AT_SYMLINK_NOFOLLOW : 0)) {
        if (S_ISDIR(status.st_mode)) fail("is a directory; expected a file");
        if (no_links && S_ISREG(status.st_mode) && status.st_nlink > 1)
            fail("has several hard links; expected a file with one");
        if (!faccessat(directory, file.name.c_str(), W_OK, 0)) return;
    } else if (errno == ENOENT) {
        if (!faccessat(directory, ".", W_OK | X_OK, 0)) return;
    }
    fail(fmt::format("cannot be written: {}", std::generic_category().message(errno)));
}

void require_valid_url(std::string_view setting, const std::string& url) {
    try {
        if (!url.empty()) (void)channels_url::parse(url);
    } catch (const std::invalid_argument& e) {
        throw std::runtime_error(fmt::format("{}: {}", setting, e.what()));
    }
}

}  // namespace

std::vector<std::string> validate(served& application, const server_settings& settings,
                                  std::vector<std::string>& in_use) {
    std::vector<std::string> errors;
    application.check(settings, errors);
    for (std::string& error : errors) error = codec::redacted_text(error);
    std::vector<net::bind_address> addresses = settings.binds;
    if (settings.admin) {
        addresses.push_back(*settings.admin);
        collect_error(errors, [&settings] { admin::require_local_address(*settings.admin, settings.admin_remote); });
    }
    for (const net::bind_address& address : addresses) {
        collect_error(errors, [&] {
            if (!net::is_free(address)) in_use.push_back(address.text());
        });
    }
    collect_error(errors, [&settings] { require_valid_url("channels-url", settings.data.channels_url); });
    collect_error(errors, [&settings] { require_valid_url("cache-url", settings.data.cache_url); });
    if (settings.access_log != "off" && settings.access_log != "-")
        collect_error(errors, [&settings] { require_writable("access-log", settings.access_log); });
    if (settings.error_log != "-")
        collect_error(errors, [&settings] { require_writable("error-log", settings.error_log); });
    if (!settings.pid_file.empty()) collect_error(errors, [&settings] { require_writable("pid", settings.pid_file); });
    return errors;
}

}  // namespace rondo::cli
