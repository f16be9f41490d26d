// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// A file by the folder that it is in: whatever happens to the folders on the way, the descriptor stays with this one.
struct file_place {
    unique_fd folder;  ///< for openat() and the like (O_PATH)
    std::string name;
};

/// Where a file is that is about to be made, written or changed. For the superuser no symbolic link on the way is
/// followed, and none at the end, unless only the superuser can have made it: it is root's, in a folder of root that
/// nobody else may write to or whose files only their owners may move (S_ISVTX). Whoever owns a folder on the way could
/// lead root to any file. For others it is what the path means; the end may be a link. Throws std::system_error with a
/// sentence that names the link, or the folder that is missing.
[[nodiscard]] file_place place_of_file(const std::string& path);

/// A device or an open descriptor by its name (/dev/stderr, /proc/self/fd/2), whose links are made by the kernel. Other
/// files of /dev are not, as everybody may write to /dev/shm; nor is what lies in a folder behind a descriptor.
[[nodiscard]] bool is_system_path(const std::string& path) noexcept;

}  // namespace rondo
