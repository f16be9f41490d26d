// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rondo {

/// Follows the symbolic links at the end of a path that only the superuser can have made: of root, in a folder of root
/// that nobody else may write to. Returns the path of what is to be opened without following any other link.
[[nodiscard]] std::string follow_trusted_links(std::string path);

/// A device or an open descriptor by its name (/dev/stderr, /proc/self/fd/2), whose links are made by the kernel. Other
/// files of /dev are not: everybody may write to /dev/shm.
[[nodiscard]] bool is_system_path(const std::string& path) noexcept;

}  // namespace rondo
