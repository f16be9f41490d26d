// SPDX-License-Identifier: Apache-2.0
// The file of a unix socket that this program bound.
#pragma once

#include <cstdint>
#include <string>

namespace rondo {

/// A path and the identity of the file that this program bound there; another server may have replaced it since.
struct socket_file {
    std::string path;  ///< empty: none
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    /// The file now at `path`, without following a link. Device and inode are 0 when there is none.
    [[nodiscard]] static socket_file from_path(std::string path) noexcept;

    [[nodiscard]] bool empty() const noexcept { return path.empty(); }
    /// True when the same file is still at the path.
    [[nodiscard]] bool is_present() const noexcept;
    /// Removes the file, unless it was replaced by another.
    void remove() const noexcept;
};

}  // namespace rondo
