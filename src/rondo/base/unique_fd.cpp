// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/unique_fd.hpp>

#include <cerrno>

#include <unistd.h>

namespace rondo {

void unique_fd::reset(int fd) noexcept {
    if (fd_ >= 0) {
        int saved = errno;
        ::close(fd_);  // on Linux this frees the descriptor even when it fails with EINTR or EIO
        errno = saved;
    }
    fd_ = fd;
}

}  // namespace rondo
