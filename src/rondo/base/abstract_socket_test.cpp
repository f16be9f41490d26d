// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/abstract_socket.hpp>

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include <rondo/base/random_token.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo {
namespace {

TEST(UnixSocket, connects_by_an_abstract_name_and_knows_the_peer) {
    const abstract_address address("rondo-test-" + random_token());
    const unique_fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.value(), address.get(), address.size()), 0);
    ASSERT_EQ(::listen(listener.value(), 1), 0);
    const unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.value(), address.get(), address.size()), 0);
    const std::optional<ucred> peer = peer_credentials(client.value());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->pid, ::getpid());
    EXPECT_EQ(peer->uid, ::geteuid());
}

TEST(UnixSocket, has_no_credentials_for_a_bad_descriptor) { EXPECT_FALSE(peer_credentials(-1)); }

TEST(UnixSocket, rejects_a_name_that_is_too_long) {
    EXPECT_NO_THROW((void)abstract_address(std::string(107, 'x')));
    EXPECT_THROW((void)abstract_address(std::string(108, 'x')), std::invalid_argument);
}

}  // namespace
}  // namespace rondo
