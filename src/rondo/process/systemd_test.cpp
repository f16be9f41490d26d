// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/systemd.hpp>

#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {
namespace {

class SystemdNotifier : public ::testing::Test {
protected:
    ~SystemdNotifier() override {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"})
            unsetenv(name);
        if (!path_.empty()) unlink(path_.c_str());
    }
    void listen(const std::string& name) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::memcpy(at.sun_path, name.data(), name.size());
        if (name[0] == '@') at.sun_path[0] = 0;
        else path_ = name;
        socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        ASSERT_EQ(bind(socket_.value(), reinterpret_cast<sockaddr*>(&at), size), 0);
        setenv("NOTIFY_SOCKET", name.c_str(), 1);
    }
    std::string received() {
        char text[512];
        ssize_t n = recv(socket_.value(), text, sizeof text, 0);
        return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
    }

    std::string path_;
    unique_fd socket_;
};

TEST_F(SystemdNotifier, reports_state_changes) {
    for (const std::string& name :
         {"/tmp/rondo-notify-" + std::to_string(getpid()), "@rondo-notify-" + std::to_string(getpid())}) {
        listen(name);
        systemd_notifier s;
        s.ready("2 worker");
        EXPECT_EQ(received(), "READY=1\nSTATUS=2 worker\n");
        s.reloading();
        std::string text = received();
        EXPECT_TRUE(text.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << text;
        s.stopping();
        EXPECT_TRUE(received().starts_with("STOPPING=1\n"));
        s.set_main_process(7);
        EXPECT_EQ(received(), "MAINPID=7\n");
        s.ping_watchdog();
        EXPECT_EQ(received(), "WATCHDOG=1\n");
    }
}

TEST_F(SystemdNotifier, does_nothing_without_a_socket) {
    systemd_notifier s;
    s.ready("");
    EXPECT_EQ(s.watchdog_interval().count(), 0);
}

TEST_F(SystemdNotifier, reads_the_watchdog_interval) {
    setenv("NOTIFY_SOCKET", "/nowhere", 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
    EXPECT_EQ(systemd_notifier().watchdog_interval().count(), 2'000'000);
    setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(systemd_notifier().watchdog_interval().count(), 0);
}

TEST_F(SystemdNotifier, accepts_descriptors_passed_to_this_process_only) {
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    EXPECT_TRUE(take_listen_fds().empty());
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    EXPECT_EQ(take_listen_fds(), (std::vector<int>{3, 4}));
    EXPECT_TRUE(take_listen_fds().empty());
}

}  // namespace
}  // namespace rondo::process
