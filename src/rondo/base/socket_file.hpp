// SPDX-License-Identifier: Apache-2.0
// The file of a unix socket that this program listens on.
#pragma once

#include <cstdint>
#include <string>

namespace rondo {

/// A path, and which file was there when this program bound it: another server may have put its own there since.
struct socket_file {
    std::string path;  ///< empty: none
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    /// What is at the path now; no link is followed. Without a file there device and inode are 0.
    [[nodiscard]] static socket_file at(std::string path) noexcept;

    [[nodiscard]] bool empty() const noexcept { return path.empty(); }
    /// True when the same file is still there.
    [[nodiscard]] bool is_there() const noexcept;
    /// Removes it, unless another file is there by now.
    void remove() const noexcept;
};

}  // namespace rondo
