// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/check.hpp>

#include <cerrno>
#include <exception>
#include <functional>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/trusted_path.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/cli/admin_app.hpp>
#include <rondo/cli/compute.hpp>
#include <rondo/cli/setting_values.hpp>
#include <rondo/codec/secrets.hpp>
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

// Whether a file could be written: it, or the folder it would be made in.
void require_writable(std::string_view setting, const std::string& asked) {
    const std::string path = geteuid() == 0 && setting != "pid" ? follow_trusted_links(asked) : asked;
    struct stat status{};
    if (geteuid() == 0 && !is_system_path(path) && !lstat(path.c_str(), &status)) {
        // As it is opened: a reload must not find that out when it cannot go back.
        if (S_ISLNK(status.st_mode) && setting != "pid")
            throw std::runtime_error(
                fmt::format("{}: '{}' is a symbolic link, which the superuser does not follow; name the file itself",
                            setting, path));
        if (S_ISREG(status.st_mode) && status.st_nlink > 1 && setting != "pid")
            throw std::runtime_error(
                fmt::format("{}: '{}' has several names (hard links); name a file of its own", setting, path));
    }
    if (!stat(path.c_str(), &status)) {
        if (S_ISDIR(status.st_mode))
            throw std::runtime_error(fmt::format("{}: '{}' is a folder; name a file", setting, path));
        if (!access(path.c_str(), W_OK)) return;
    } else if (errno == ENOENT) {
        const std::size_t slash = path.rfind('/');
        const std::string folder = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
        if (!access(folder.c_str(), W_OK | X_OK)) return;
    }
    throw std::runtime_error(
        fmt::format("{}: '{}' cannot be written: {}", setting, path, std::generic_category().message(errno)));
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
        note(mistakes, [&chosen] { require_private(*chosen.admin, chosen.admin_remote); });
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
