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
#include <rondo/cli/compute_processes.hpp>
#include <rondo/cli/settings/parsers.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

void note(std::vector<std::string>& mistakes, const std::function<void()>& look) {
    try {
        look();
    } catch (const std::exception& e) {
        mistakes.push_back(codec::without_secrets(e.what()));
    }
}

// Whether a file could be written: it, or the folder it would be made in. As it is opened: a reload must not find that
// out when it cannot go back.
void require_writable(std::string_view setting, const std::string& path) {
    const auto no = [&](std::string_view why) {
        throw std::runtime_error(fmt::format("{}: '{}' {}", setting, path, why));
    };
    file_place at;
    try {
        at = place_of_file(path);
    } catch (const std::system_error& e) {
        if (e.code() == std::errc::is_a_directory) no("is a folder; name a file");
        no(fmt::format("cannot be written: {}", e.what()));
    }
    const int folder = at.folder.value();
    const bool careful = geteuid() == 0 && !is_system_path(path) && setting != "pid";
    struct stat status{};
    if (!fstatat(folder, at.name.c_str(), &status, careful ? AT_SYMLINK_NOFOLLOW : 0)) {
        if (S_ISDIR(status.st_mode)) no("is a folder; name a file");
        if (careful && S_ISREG(status.st_mode) && status.st_nlink > 1)
            no("has several names (hard links); name a file of its own");
        if (!faccessat(folder, at.name.c_str(), W_OK, 0)) return;
    } else if (errno == ENOENT) {
        if (!faccessat(folder, ".", W_OK | X_OK, 0)) return;
    }
    no(fmt::format("cannot be written: {}", std::generic_category().message(errno)));
}

void require_place(std::string_view setting, const std::string& url) {
    try {
        if (!url.empty()) (void)channels_url::parse(url);
    } catch (const std::invalid_argument& e) {
        throw std::runtime_error(fmt::format("{}: {}", setting, e.what()));
    }
}

}  // namespace

std::vector<std::string> find_mistakes(app& application, const settings& chosen, std::vector<std::string>& in_use) {
    std::vector<std::string> mistakes;
    note(mistakes, [&application] { application.check(); });
    note(mistakes, [&] { require_known_computers(application, chosen); });
    std::vector<net::bind_address> addresses = chosen.binds;
    if (chosen.admin) {
        addresses.push_back(*chosen.admin);
        note(mistakes, [&chosen] { admin::require_private(*chosen.admin, chosen.admin_remote); });
    }
    for (const net::bind_address& at : addresses) {
        note(mistakes, [&] {
            if (!net::is_free(at)) in_use.push_back(address_text(at));
        });
    }
    note(mistakes, [&chosen] { require_place("channels-url", chosen.data.channels_url); });
    note(mistakes, [&chosen] { require_place("cache-url", chosen.data.cache_url); });
    if (chosen.access_log != "off" && chosen.access_log != "-")
        note(mistakes, [&chosen] { require_writable("access-log", chosen.access_log); });
    if (chosen.error_log != "-") note(mistakes, [&chosen] { require_writable("error-log", chosen.error_log); });
    if (!chosen.pid_file.empty()) note(mistakes, [&chosen] { require_writable("pid", chosen.pid_file); });
    return mistakes;
}

}  // namespace rondo::cli
