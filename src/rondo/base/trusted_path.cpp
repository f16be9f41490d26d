// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/trusted_path.hpp>

#include <algorithm>
#include <array>
#include <climits>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

namespace rondo {

bool is_system_path(const std::string& path) noexcept {
    constexpr std::array<std::string_view, 7> files = {"/dev/null",  "/dev/full",   "/dev/tty",   "/dev/console",
                                                       "/dev/stdin", "/dev/stdout", "/dev/stderr"};
    if (std::ranges::find(files, path) != files.end()) return true;
    if (path.find("/..") != std::string::npos) return false;
    return std::ranges::any_of(std::array<std::string_view, 2>{"/dev/fd/", "/proc/self/fd/"},
                               [&path](std::string_view folder) { return path.starts_with(folder); });
}

std::string follow_trusted_links(std::string path) {
    constexpr int most_links = 8;
    for (int i = 0; i < most_links && !is_system_path(path); ++i) {
        const std::size_t slash = path.rfind('/');
        const std::string folder = slash == path.npos ? "./" : path.substr(0, slash + 1);
        struct stat link{};
        struct stat in{};
        if (lstat(path.c_str(), &link) || !S_ISLNK(link.st_mode) || link.st_uid != 0) break;
        if (stat(folder.c_str(), &in) || in.st_uid != 0 || (in.st_mode & (S_IWGRP | S_IWOTH))) break;
        char to[PATH_MAX];
        const ssize_t n = readlink(path.c_str(), to, sizeof to);
        if (n <= 0) break;
        const std::string target(to, static_cast<std::size_t>(n));
        path = target.starts_with('/') ? target : folder + target;
    }
    return path;
}

}  // namespace rondo
