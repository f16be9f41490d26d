// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/trusted_path.hpp>

#include <climits>

#include <sys/stat.h>
#include <unistd.h>

namespace rondo {

bool is_system_path(const std::string& path) noexcept {
    return (path.starts_with("/dev/") || path.starts_with("/proc/")) && path.find("/..") == path.npos;
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
