// SPDX-License-Identifier: Apache-2.0
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

/// An opened regular file and what fstat() said of it.
struct opened_file {
    unique_fd fd;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;  ///< nanoseconds since 1970
};

/// Opens a regular file for reading, never waiting for a FIFO. Blocks on the disk. Throws std::system_error: ENOENT,
/// EACCES and the like, EISDIR or EINVAL when it is no regular file.
[[nodiscard]] opened_file open_file(const std::string& path);

/// A folder out of which files are opened by names that strangers send. Nothing outside of it is ever opened: the
/// kernel resolves the name beneath the folder (openat2), symbolic links included; they may not lead out, and absolute
/// ones never count as inside. Where the kernel has no openat2, no symbolic link is followed at all. What stands under
/// the folder's own path is looked at again once in half a second: a folder made anew and a symbolic link that was
/// switched are followed; while there is no folder, the one before is kept. May be used by several threads.
class folder {
public:
    /// How names are resolved; `automatic` is openat2 where the kernel has it.
    enum class resolution : std::uint8_t { automatic, openat2, walk };

    /// Throws std::runtime_error with a sentence when `path` is not a folder that can be read.
    explicit folder(const std::string& path, resolution how = resolution::automatic);

    enum class refusal : std::uint8_t {
        not_found,  ///< no such file, not readable, or a name that is never served (see valid_name)
        directory,  ///< the name is that of a folder within
    };

    /// Opens the file `name` ("css/site.css", decoded). Blocks on the disk. Throws std::system_error for failures that
    /// are no property of the name (EMFILE, EIO).
    [[nodiscard]] std::expected<opened_file, refusal> open(std::string_view name) const;

    /// Segments parted by single slashes, none empty or beginning with a dot; no backslash, no control byte; at most
    /// 1,024 bytes. So there is no "..", and dot files are out of reach.
    [[nodiscard]] static bool valid_name(std::string_view name) noexcept;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    /// The folder as it was opened last; kept by who opens a file of it while another one takes its place.
    struct opened {
        std::mutex mutex;
        std::shared_ptr<const unique_fd> fd;
        instant look_again = instant::min();
    };
    [[nodiscard]] std::shared_ptr<const unique_fd> now() const;
    [[nodiscard]] std::shared_ptr<const unique_fd> another_than(const unique_fd& before) const;
    [[nodiscard]] static int resolve(int root, const std::string& name) noexcept;
    [[nodiscard]] static int walk(int root, const std::string& name) noexcept;

    std::string path_;
    std::string absolute_;  // the working folder may be another one later
    std::unique_ptr<opened> opened_;
    resolution how_;
};

}  // namespace rondo
