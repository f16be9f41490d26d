// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/managed_listener.hpp>

#include <cerrno>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rondo::process {
namespace {

managed_listener listen_on_free_port(sockaddr_in& at) {
    managed_listener s{"worker", "key", unique_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
                       "",       {},    false};
    at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(bind(s.fd.value(), reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(listen(s.fd.value(), 16), 0);
    EXPECT_EQ(getsockname(s.fd.value(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    return s;
}

// Whether a connection is established within the time.
bool connects(const sockaddr_in& to, unique_fd& s, int ms) {
    s.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!connect(s.value(), reinterpret_cast<const sockaddr*>(&to), sizeof to)) return true;
    pollfd p{.fd = s.value(), .events = POLLOUT, .revents = 0};
    return errno == EINPROGRESS && poll(&p, 1, ms) == 1 && !(p.revents & POLLERR);
}

TEST(ManagedListener, refuses_new_connections_and_keeps_established_ones) {
    sockaddr_in at{};
    managed_listener s = listen_on_free_port(at);
    unique_fd before;
    unique_fd after;
    ASSERT_TRUE(connects(at, before, 5000));
    EXPECT_EQ(backlog_length(s.fd.value()), 1u);
    refuse_new(s);
    EXPECT_FALSE(connects(at, after, 200));
    EXPECT_EQ(backlog_length(s.fd.value()), 1u);
    unique_fd accepted(accept(s.fd.value(), nullptr, nullptr));
    ASSERT_TRUE(accepted);
    EXPECT_EQ(backlog_length(s.fd.value()), 0u);
    // An accepted connection is not filtered.
    ASSERT_EQ(write(before.value(), "x", 1), 1);
    pollfd p{.fd = accepted.value(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&p, 1, 5000), 1);
    char c = 0;
    EXPECT_EQ(read(accepted.value(), &c, 1), 1);
}

TEST(ManagedListener, does_not_filter_an_externally_owned_socket) {
    sockaddr_in at{};
    managed_listener s = listen_on_free_port(at);
    s.externally_owned = true;
    refuse_new(s);
    unique_fd client;
    EXPECT_TRUE(connects(at, client, 5000));
}

TEST(ManagedListener, removes_the_path_of_a_unix_socket) {
    std::string path = "/tmp/rondo-listener-" + std::to_string(getpid());
    managed_listener s{"worker", "key", unique_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), "", {}, false};
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path.data(), path.size());
    ASSERT_EQ(bind(s.fd.value(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    s.file = socket_file::from_path(path);
    s.externally_owned = true;  // as for the admin socket, which stays open
    refuse_new(s);
    EXPECT_NE(access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace rondo::process
