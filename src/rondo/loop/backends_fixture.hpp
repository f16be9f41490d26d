// SPDX-License-Identifier: Apache-2.0
// Test parameters: every event-loop backend that this kernel offers.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <rondo/loop/loop.hpp>

namespace rondo::testing {

inline std::vector<backend_kind> available_backends() {
    if (!io_uring_available()) return {backend_kind::epoll};
    return {backend_kind::epoll, backend_kind::io_uring};
}
inline std::string backend_name(const ::testing::TestParamInfo<backend_kind>& info) {
    return info.param == backend_kind::epoll ? "epoll" : "io_uring";
}

}  // namespace rondo::testing
