// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/admin_listener.hpp>

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <rondo/net/listen.hpp>

namespace rondo::cli {
namespace {

TEST(AdminListener, checks_the_bound_address_of_a_passed_socket) {
    const auto passed = [](const char* text) {
        return net::listen(net::bind_address::parse(text)).front().fd.release();
    };
    server_settings settings;
    settings.admin = net::bind_address::parse("fd://" + std::to_string(passed("0.0.0.0:0")));
    EXPECT_THROW((void)listen_admin(settings), std::invalid_argument);
    settings.admin = net::bind_address::parse("fd://" + std::to_string(passed("127.0.0.1:0")));
    EXPECT_EQ(listen_admin(settings).size(), 1u);
    settings.admin = net::bind_address::parse("fd://" + std::to_string(passed("0.0.0.0:0")));
    settings.admin_remote = true;
    EXPECT_EQ(listen_admin(settings).size(), 1u);
}

}  // namespace
}  // namespace rondo::cli
