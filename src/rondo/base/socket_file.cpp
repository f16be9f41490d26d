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

bool look_at(const file_place& at, struct stat& status) noexcept {
    return ::fstatat(at.folder.value(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

socket_file socket_file::at(std::string path) noexcept {
    struct stat status{};
    try {
        if (look_at(place_of_file(path), status)) return {std::move(path), status.st_dev, status.st_ino};
    } catch (const std::exception&) {
        // Without the directory there is no file.
    }
    return {std::move(path), 0, 0};
}

bool socket_file::is_there() const noexcept {
    const socket_file now = at(path);
    return inode != 0 && now.device == device && now.inode == inode;
}

void socket_file::remove() const noexcept {
    if (empty() || inode == 0) return;
    try {
        const file_place place = place_of_file(path);
        struct stat status{};
        if (look_at(place, status) && status.st_dev == device && status.st_ino == inode)
            ::unlinkat(place.folder.value(), place.name.c_str(), 0);
    } catch (const std::exception&) {
        // The directory was removed, and the file with it.
    }
}

}  // namespace rondo
