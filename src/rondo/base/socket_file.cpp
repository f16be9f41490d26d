// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/socket_file.hpp>

#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace rondo {

socket_file socket_file::at(std::string path) noexcept {
    struct stat status{};
    if (::lstat(path.c_str(), &status)) return {std::move(path), 0, 0};
    return {std::move(path), status.st_dev, status.st_ino};
}

bool socket_file::is_there() const noexcept {
    const socket_file now = at(path);
    return inode != 0 && now.device == device && now.inode == inode;
}

void socket_file::remove() const noexcept {
    if (is_there()) ::unlink(path.c_str());
}

}  // namespace rondo
