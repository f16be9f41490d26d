// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rondo/net/listen.hpp>
#include <rondo/net/port_fixture.hpp>

namespace rondo::net {
namespace {

using testing::port_of;
using kind = bind_address::kind;

std::string error_of(std::string_view text) {
    try {
        (void)bind_address::parse(text);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return {};
}

template <class F>
std::string failure_of(F f) {
    try {
        (void)f();
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return {};
}

unique_fd connect_to(std::uint16_t port) {
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.value(), reinterpret_cast<sockaddr*>(&to), sizeof to)) fd.reset();
    return fd;
}

class folder {
public:
    folder() : path_(std::filesystem::temp_directory_path() / "rondo-net-XXXXXX") {
        std::string name = path_.string();
        if (!mkdtemp(name.data())) throw std::runtime_error("cannot create a temporary folder");
        path_ = name;
    }
    ~folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

TEST(BindAddress, parses_tcp_addresses) {
    struct {
        std::string_view text;
        std::string_view host;
        int port;
    } forms[] = {{"127.0.0.1:8000", "127.0.0.1", 8000},
                 {"[::1]:80", "::1", 80},
                 {"localhost:0", "localhost", 0},
                 {"*:8000", "", 8000},
                 {":8000", "", 8000},
                 {"a.example:65535", "a.example", 65535}};
    for (const auto& f : forms) {
        bind_address at = bind_address::parse(f.text);
        EXPECT_EQ(at.type, kind::tcp) << f.text;
        EXPECT_EQ(at.host, f.host) << f.text;
        EXPECT_EQ(at.port, f.port) << f.text;
    }
}

TEST(BindAddress, parses_unix_and_inherited_sockets) {
    bind_address at = bind_address::parse("unix:/run/app.sock");
    EXPECT_EQ(at.type, kind::unix_path);
    EXPECT_EQ(at.path, "/run/app.sock");
    at = bind_address::parse("fd://3");
    EXPECT_EQ(at.type, kind::inherited);
    EXPECT_EQ(at.fd, 3);
}

TEST(BindAddress, text_is_what_parse_takes) {
    for (const char* text : {"127.0.0.1:8000", "*:80", "[::1]:8000", "example.org:1", "unix:/run/x.sock", "fd://3"})
        EXPECT_EQ(bind_address::parse(text).text(), text);
}

TEST(BindAddress, errors_list_the_allowed_forms) {
    for (std::string_view bad : {"", "a", "a:", "a:x", "a:-1", "a:65536", "a:80 ", "::1:80", "unix:", "fd://", "fd://x",
                                 "fd://-1", "fd://3x", "1:2:3", "a:0x50"}) {
        std::string text = error_of(bad);
        EXPECT_NE(text.find("HOST:PORT"), text.npos) << bad << " -> " << text;
        EXPECT_NE(text.find("'" + std::string(bad) + "'"), text.npos) << text;
    }
    EXPECT_NE(error_of("unix:/" + std::string(120, 'x')).find("longer"), std::string::npos);
}

TEST(Listen, reports_the_chosen_port) {
    auto sockets = listen(bind_address::parse("127.0.0.1:0"));
    ASSERT_EQ(sockets.size(), 1u);
    EXPECT_TRUE(sockets[0].url.starts_with("http://127.0.0.1:")) << sockets[0].url;
    EXPECT_GT(port_of(sockets[0]), 0);
    EXPECT_TRUE(connect_to(port_of(sockets[0])));
}

TEST(Listen, listens_on_every_address_at_a_free_port) {
    auto sockets = listen(bind_address::parse("*:0"));
    ASSERT_FALSE(sockets.empty());
    EXPECT_GT(port_of(sockets[0]), 0);
}

TEST(Listen, refuses_an_address_in_use) {
    auto sockets = listen(bind_address::parse("127.0.0.1:0"));
    auto again = [&] { return listen(bind_address::parse("127.0.0.1:" + std::to_string(port_of(sockets[0])))); };
    EXPECT_NE(failure_of(again).find("in use"), std::string::npos);
}

TEST(Listen, shares_an_address_with_reuse_port) {
    auto first = listen(bind_address::parse("127.0.0.1:0"), {.reuse_port = true});
    auto at = bind_address::parse("127.0.0.1:" + std::to_string(port_of(first[0])));
    EXPECT_EQ(listen(at, {.reuse_port = true}).size(), 1u);
}

TEST(Listen, refuses_an_address_of_another_machine) {
    EXPECT_NE(failure_of([] { return listen(bind_address::parse("192.0.2.1:0")); }).find("does not have the address"),
              std::string::npos);
}

TEST(Listen, refuses_an_unknown_host) {
    EXPECT_NE(
        failure_of([] { return listen(bind_address::parse("no-such-host.invalid:0")); }).find("no-such-host.invalid"),
        std::string::npos);
}

TEST(Listen, creates_a_unix_socket_with_its_mode) {
    folder f;
    std::string path = f.file("s");
    auto sockets = listen(bind_address::parse("unix:" + path), {.mode = 0600});
    ASSERT_EQ(sockets.size(), 1u);
    EXPECT_EQ(sockets[0].url, "unix:" + path);
    EXPECT_EQ(sockets[0].file.path, path);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(Listen, replaces_a_stale_unix_socket) {
    folder f;
    auto at = bind_address::parse("unix:" + f.file("s"));
    {
        auto stale = listen(at);
    }
    EXPECT_EQ(listen(at).size(), 1u);
}

TEST(Listen, refuses_a_unix_socket_in_use) {
    folder f;
    auto at = bind_address::parse("unix:" + f.file("s"));
    auto first = listen(at);
    EXPECT_NE(failure_of([&] { return listen(at); }).find("in use"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(f.file("s")));
}

// The workers of a killed server keep listening some milliseconds longer than it.
TEST(Listen, waits_for_an_address_that_is_released_soon) {
    folder f;
    auto tcp = listen(bind_address::parse("127.0.0.1:0"));
    const std::string address = "127.0.0.1:" + std::to_string(port_of(tcp[0]));
    auto unix_socket = listen(bind_address::parse("unix:" + f.file("s")));
    std::thread ends([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        unix_socket.clear();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        tcp.clear();
    });
    EXPECT_EQ(failure_of([&] { return listen(bind_address::parse("unix:" + f.file("s"))); }), "");
    EXPECT_EQ(failure_of([&] { return listen(bind_address::parse(address)); }), "");
    ends.join();
}

// A blocking connect() to such a hung server would wait.
TEST(Listen, a_unix_socket_with_a_full_backlog_is_in_use) {
    folder f;
    const std::string path = f.file("s");
    const auto at = bind_address::parse("unix:" + path);
    const auto stuck = listen(at, {.backlog = 0});
    std::vector<unique_fd> waiting;
    int error = 0;
    while (error == 0 && waiting.size() < 100) {
        waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        path.copy(to.sun_path, sizeof to.sun_path - 1);
        error = ::connect(waiting.back().value(), reinterpret_cast<sockaddr*>(&to), sizeof to) ? errno : 0;
    }
    ASSERT_EQ(error, EAGAIN);
    ::alarm(20);  // fail instead of hanging
    EXPECT_FALSE(is_free(at));
    EXPECT_NE(failure_of([&] { return listen(at, {.retry_timeout = {}}); }).find("in use"), std::string::npos);
    ::alarm(0);
    EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Listen, neither_removes_nor_changes_other_files) {
    folder f;
    const std::string path = f.file("s");
    const std::string target = f.file("target");
    for (const std::string& made : {path, target})
        ASSERT_TRUE(unique_fd(::open(made.c_str(), O_CREAT | O_WRONLY, 0640)));
    EXPECT_NE(failure_of([&] { return listen(bind_address::parse("unix:" + path)); }).find("in use"),
              std::string::npos);
    ::unlink(path.c_str());
    ASSERT_EQ(::symlink(target.c_str(), path.c_str()), 0);
    EXPECT_NE(failure_of([&] { return listen(bind_address::parse("unix:" + path), {.mode = 0777}); }).find("in use"),
              std::string::npos);
    struct stat status{};
    ASSERT_EQ(::stat(target.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640u);
}

// The owner of a folder in the path could otherwise make root remove another server's socket or change its mode.
TEST(Listen, does_not_follow_a_link_of_another_user) {
    if (geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    constexpr uid_t other_user = 65'534;
    folder ours;
    folder theirs;
    const std::string there = ours.file("s");
    const auto other = listen(bind_address::parse("unix:" + there), {.mode = 0600});
    const std::string link = theirs.file("run");
    const std::string folder_of_ours = there.substr(0, there.rfind('/'));
    ASSERT_EQ(symlink(folder_of_ours.c_str(), link.c_str()), 0);
    ASSERT_EQ(lchown(link.c_str(), other_user, other_user), 0);
    const auto at = bind_address::parse("unix:" + link + "/s");
    EXPECT_NE(failure_of([&] { return listen(at, {.mode = 0666}); }).find("symbolic link"), std::string::npos);
    EXPECT_NE(failure_of([&] { return is_free(at); }).find("symbolic link"), std::string::npos);
    // A socket that was bound before the link was placed.
    socket_file bound = other[0].file;
    bound.path = link + "/s";
    bound.remove();
    struct stat status{};
    ASSERT_EQ(stat(there.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    unlink(link.c_str());
}

TEST(Listen, removes_only_its_own_socket_file) {
    folder f;
    const auto at = bind_address::parse("unix:" + f.file("s"));
    auto first = listen(at);
    ASSERT_EQ(::unlink(f.file("s").c_str()), 0);
    auto second = listen(at);
    first[0].file.remove();
    EXPECT_TRUE(second[0].file.is_present());
    EXPECT_FALSE(first[0].file.is_present());
    second[0].file.remove();
    EXPECT_FALSE(std::filesystem::exists(f.file("s")));
}

// A killed server left its file behind and several servers start at once.
TEST(Listen, only_one_of_several_servers_replaces_a_stale_socket) {
    folder f;
    const auto at = bind_address::parse("unix:" + f.file("s"));
    for (int round = 0; round < 20; ++round) {
        {
            const auto stale = listen(at);
        }
        std::atomic<int> listening{0};
        std::vector<std::vector<listening_socket>> sockets(4);
        std::vector<std::thread> servers;
        for (auto& mine : sockets)
            servers.emplace_back([&] {
                try {
                    mine = listen(at, {.retry_timeout = {}});
                    ++listening;
                } catch (const std::runtime_error&) {
                }
            });
        for (auto& t : servers) t.join();
        EXPECT_EQ(listening, 1);
    }
}

TEST(Listen, uses_an_inherited_socket) {
    auto first = listen(bind_address::parse("127.0.0.1:0"));
    auto again = listen(bind_address::parse("fd://" + std::to_string(::dup(first[0].fd.value()))));
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].url, first[0].url);
}

TEST(Listen, refuses_a_descriptor_that_does_not_listen) {
    unique_fd plain(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto use = [](int fd) {
        return failure_of([fd] { return listen(bind_address::parse("fd://" + std::to_string(fd))); });
    };
    EXPECT_NE(use(plain.value()).find("is not a listening socket"), std::string::npos);
    EXPECT_NE(use(9999).find("is not a listening socket"), std::string::npos);
}

TEST(Peer, has_address_and_port) {
    auto sockets = listen(bind_address::parse("127.0.0.1:0"));
    unique_fd client = connect_to(port_of(sockets[0]));
    unique_fd server(::accept(sockets[0].fd.value(), nullptr, nullptr));
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ASSERT_EQ(::getsockname(client.value(), reinterpret_cast<sockaddr*>(&own), &size), 0);
    peer p = peer_of(server.value());
    EXPECT_EQ(p.address, "127.0.0.1");
    EXPECT_EQ(p.port, ntohs(own.sin_port));
}

TEST(Peer, of_a_unix_socket_or_invalid_descriptor) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    unique_fd a(ends[0]);
    unique_fd b(ends[1]);
    EXPECT_EQ(peer_of(a.value()).address, "unix");
    EXPECT_EQ(peer_of(-1).address, "");
}

TEST(LocalEnd, has_address_and_port) {
    auto sockets = listen(bind_address::parse("127.0.0.1:0"));
    unique_fd client = connect_to(port_of(sockets[0]));
    unique_fd server(::accept(sockets[0].fd.value(), nullptr, nullptr));
    const local_end end = local_end_of(server.value());
    EXPECT_EQ(end.address, "127.0.0.1");
    EXPECT_EQ(end.port, port_of(sockets[0]));
    EXPECT_FALSE(end.is_unix);
}

std::string unix_address_of_server(const sockaddr_un& address, socklen_t size) {
    unique_fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.value(), at, size), 0);
    EXPECT_EQ(::listen(listener.value(), 1), 0);
    EXPECT_EQ(::connect(client.value(), at, size), 0);
    unique_fd server(::accept(listener.value(), nullptr, nullptr));
    const local_end end = local_end_of(server.value());
    EXPECT_TRUE(end.is_unix);
    EXPECT_EQ(end.port, 0);
    return end.address;
}

TEST(LocalEnd, of_a_unix_socket_or_invalid_descriptor) {
    folder f;
    const std::string path = f.file("s");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(unix_address_of_server(address, sizeof address), path);
    const std::string name = "rondo-local-end-" + std::to_string(::getpid());
    address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(unix_address_of_server(address, size), "@" + name);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    unique_fd a(ends[0]);
    unique_fd b(ends[1]);
    EXPECT_EQ(local_end_of(a.value()).address, "");
    EXPECT_TRUE(local_end_of(a.value()).is_unix);
    EXPECT_FALSE(local_end_of(-1).is_unix);
}

}  // namespace
}  // namespace rondo::net
