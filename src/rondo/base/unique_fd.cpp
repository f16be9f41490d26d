// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/unique_fd.hpp>

#include <cerrno>

#include <unistd.h>

namespace rondo {

void unique_fd::reset(int fd) noexcept {
    if (fd_ >= 0) {
        int saved = errno;
        ::close(fd_);  // on Linux the descriptor is gone even when close() reports EINTR or EIO
        errno = saved;
    }
    fd_ = fd;
}

}  // namespace rondo
