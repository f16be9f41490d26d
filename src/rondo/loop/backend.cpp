// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/backend.hpp>

#include <stdexcept>

namespace rondo {

std::unique_ptr<backend> make_backend(backend_kind kind) {
    switch (kind) {
        case backend_kind::epoll: return make_epoll_backend();
        case backend_kind::io_uring:
            if (!io_uring_available()) {
                throw std::invalid_argument(
                    "backend io_uring is not available: it needs Linux 6.1 and kernel.io_uring_disabled=0; "
                    "use --backend epoll or --backend auto");
            }
            return make_io_uring_backend();
        case backend_kind::automatic: break;
    }
    return io_uring_available() ? make_io_uring_backend() : make_epoll_backend();
}

}  // namespace rondo
