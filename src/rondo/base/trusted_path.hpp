// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rondo {

/// Follows the symbolic links at the end of a path that only the superuser can have made: of root, in a folder of root
/// that nobody else may write to. Returns the path of what is to be opened without following any other link.
[[nodiscard]] std::string follow_trusted_links(std::string path);

/// In /dev or /proc, whose links are of the kernel.
[[nodiscard]] bool is_system_path(const std::string& path) noexcept;

}  // namespace rondo
