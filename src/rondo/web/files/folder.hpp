// SPDX-License-Identifier: Apache-2.0
// Opens files by untrusted names, confined to a folder.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// An open regular file with its size and modification time.
struct opened_file {
    unique_fd fd;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;  ///< nanoseconds since 1970
};

/// Opens a regular file for reading; does not wait for a FIFO. Blocks on disk I/O. Throws std::system_error with
/// ENOENT, EACCES etc., or with EISDIR or EINVAL if it is not a regular file.
[[nodiscard]] opened_file open_file(const std::string& path);

/// A folder whose files are opened by untrusted names. Files outside of it are never opened: the kernel resolves each
/// name, including symbolic links, beneath the folder (openat2); a link must not lead outside, and absolute links never
/// count as inside. Without openat2, symbolic links are not followed at all. The folder's own path is re-opened every
/// half second at most, so that a replaced folder or a switched symbolic link takes effect; while the path does not
/// exist, the previous folder stays in use. Thread-safe.
class folder {
public:
    /// How names are resolved. `automatic` uses openat2 if the kernel supports it, `walk` opens one segment at a time.
    enum class resolution : std::uint8_t { automatic, openat2, walk };

    /// Throws std::runtime_error with a user-facing message if `path` is not a readable folder.
    explicit folder(const std::string& path, resolution method = resolution::automatic);

    enum class open_error : std::uint8_t {
        not_found,     ///< no such file, not readable, or a name that is never served (see is_valid_name)
        is_directory,  ///< the name is that of a subfolder
    };

    /// Opens the file `name` ("css/site.css", decoded). Blocks on disk I/O. Throws std::system_error for failures that
    /// do not depend on the name (EMFILE, EIO).
    [[nodiscard]] std::expected<opened_file, open_error> open(std::string_view name) const;

    /// Returns whether the name consists of segments separated by single slashes, none of them empty or starting with a
    /// dot (so no ".." and no dot files), without backslashes and control characters, with at most 1,024 bytes.
    [[nodiscard]] static bool is_valid_name(std::string_view name) noexcept;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    /// The folder as last opened. Shared, so that it may be replaced while another thread opens a file in it.
    struct root_state {
        std::mutex mutex;
        std::shared_ptr<const unique_fd> fd;
        instant next_check = instant::min();
    };
    [[nodiscard]] std::shared_ptr<const unique_fd> current_root() const;
    [[nodiscard]] std::shared_ptr<const unique_fd> reopen_if_replaced(const unique_fd& current) const;
    [[nodiscard]] static int open_with_openat2(int root, const std::string& name) noexcept;
    [[nodiscard]] static int open_by_walking(int root, const std::string& name) noexcept;

    std::string path_;
    std::string absolute_path_;  // the working directory may change
    std::unique_ptr<root_state> root_;
    resolution resolution_;
};

}  // namespace rondo
