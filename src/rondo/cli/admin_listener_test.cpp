// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/admin_listener.hpp>

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <rondo/net/address.hpp>

namespace rondo::cli {
namespace {

TEST(AdminListener, passed_is_judged_by_its_real_address) {
    const auto passed = [](const char* text) {
        return net::listen(net::bind_address::parse(text)).front().fd.release();
    };
    settings chosen;
    chosen.admin = net::bind_address::parse("fd://" + std::to_string(passed("0.0.0.0:0")));
    EXPECT_THROW((void)listen_for_admin(chosen), std::invalid_argument);
    chosen.admin = net::bind_address::parse("fd://" + std::to_string(passed("127.0.0.1:0")));
    EXPECT_EQ(listen_for_admin(chosen).size(), 1u);
    chosen.admin = net::bind_address::parse("fd://" + std::to_string(passed("0.0.0.0:0")));
    chosen.admin_remote = true;
    EXPECT_EQ(listen_for_admin(chosen).size(), 1u);
}

}  // namespace
}  // namespace rondo::cli
