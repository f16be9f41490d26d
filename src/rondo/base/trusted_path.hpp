// SPDX-License-Identifier: Apache-2.0
// Resolves paths safely when running as root.
#pragma once

#include <string>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// A file by its parent directory: the descriptor refers to the same directory even if the path to it changes.
struct resolved_path {
    unique_fd directory;  ///< for openat() and similar calls (O_PATH)
    std::string name;
};

/// Resolves the path of a file that is about to be created or written. As root, follows a symbolic link, on the way or
/// at the end, only when no other user can have created it: the link and its directory are owned by root, and the
/// directory is writable only by root or sticky (S_ISVTX). Otherwise the owner of a directory on the way could redirect
/// root to any file. As another user, resolves the path as usual; the file itself may be a link. Throws
/// std::system_error with a message that contains the link or the missing directory.
[[nodiscard]] resolved_path resolve_trusted_path(const std::string& path);

/// True for paths of devices and open descriptors (/dev/stderr, /proc/self/fd/2), whose links the kernel creates. False
/// for other files in /dev, as any user may write to /dev/shm, and for files in a directory behind a descriptor.
[[nodiscard]] bool is_system_path(const std::string& path) noexcept;

}  // namespace rondo
