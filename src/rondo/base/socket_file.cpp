// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/socket_file.hpp>

#include <exception>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/trusted_path.hpp>

namespace rondo {

namespace {

bool stat_no_follow(const resolved_path& at, struct stat& status) noexcept {
    return ::fstatat(at.directory.value(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

socket_file socket_file::from_path(std::string path) noexcept {
    struct stat status{};
    try {
        if (stat_no_follow(resolve_trusted_path(path), status)) return {std::move(path), status.st_dev, status.st_ino};
    } catch (const std::exception&) {
        // Without the directory there is no file.
    }
    return {std::move(path), 0, 0};
}

bool socket_file::is_present() const noexcept {
    const socket_file now = from_path(path);
    return inode != 0 && now.device == device && now.inode == inode;
}

void socket_file::remove() const noexcept {
    if (empty() || inode == 0) return;
    try {
        const resolved_path resolved = resolve_trusted_path(path);
        struct stat status{};
        if (stat_no_follow(resolved, status) && status.st_dev == device && status.st_ino == inode)
            ::unlinkat(resolved.directory.value(), resolved.name.c_str(), 0);
    } catch (const std::exception&) {
        // The directory was removed, and the file with it.
    }
}

}  // namespace rondo
