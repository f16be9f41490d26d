// SPDX-License-Identifier: Apache-2.0
// A byte buffer that moves from memory to a temporary file when it grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// Stores bytes in memory up to a threshold, and in an unnamed temporary file (in $TMPDIR, else /tmp) beyond it. Either
/// way they are readable as one text. Move-only; not thread-safe.
class spool {
public:
    static constexpr std::size_t default_threshold = 256 * 1024;

    explicit spool(std::size_t threshold = default_threshold) noexcept : threshold_(threshold) {}
    spool(spool&&) noexcept;
    spool& operator=(spool&&) noexcept;
    ~spool();

    /// True when append() of `bytes` bytes would write to the file: then call it on a thread that may block.
    [[nodiscard]] bool would_block(std::size_t bytes) const noexcept { return file_ || size_ + bytes > threshold_; }
    /// Precondition: text() has not been called. Throws std::system_error (ENOSPC), std::bad_alloc.
    void append(std::string_view bytes);
    /// Reserves memory for a known size, up to the threshold.
    void reserve(std::uint64_t size);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_in_memory() const noexcept { return !file_; }
    /// All bytes; valid until the spool is moved or destroyed. A file is mapped, not read.
    [[nodiscard]] std::string_view text();
    /// The descriptor of the file, owned by the spool; -1 while the bytes are in memory.
    [[nodiscard]] int fd() const noexcept { return file_.value(); }

    /// Writes the bytes to a file, replacing an existing one. Blocks on the disk. Throws std::system_error.
    void save_to(const std::string& path);

private:
    void move_to_file();
    void unmap() noexcept;

    std::string memory_;
    unique_fd file_;
    char* mapped_ = nullptr;
    std::uint64_t size_ = 0;
    std::size_t threshold_;
};

}  // namespace rondo
