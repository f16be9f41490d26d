// SPDX-License-Identifier: Apache-2.0
// Owner of a file descriptor.
#pragma once

#include <utility>

namespace rondo {

/// Owns a file descriptor and closes it. Not thread-safe; move-only.
class unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    /// The descriptor, or -1 when none is owned.
    [[nodiscard]] int value() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Releases ownership without closing.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes the owned descriptor and takes ownership of `fd`. Preserves errno.
    void reset(int fd = -1) noexcept;

private:
    int fd_ = -1;
};

}  // namespace rondo
