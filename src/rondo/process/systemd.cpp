// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/systemd.hpp>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/process/managed_listener.hpp>

namespace rondo::process {

namespace {

constexpr int first_listen_fd = 3;

std::string environment_value(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

// False when the variable names another process.
bool is_for_this_process(const char* name) {
    std::string pid = environment_value(name);
    return pid.empty() || std::strtol(pid.c_str(), nullptr, 10) == getpid();
}

}  // namespace

systemd_notifier::systemd_notifier() : path_(environment_value("NOTIFY_SOCKET")) {
    if (!path_.empty() && is_for_this_process("WATCHDOG_PID"))
        watchdog_interval_ =
            std::chrono::microseconds(std::strtoll(environment_value("WATCHDOG_USEC").c_str(), nullptr, 10) / 2);
}

void systemd_notifier::notify(const std::string& text) const {
    sockaddr_un to{};
    if (path_.empty() || path_.size() >= sizeof to.sun_path) return;
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path_.data(), path_.size());
    if (path_[0] == '@') to.sun_path[0] = '\0';
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    unique_fd s(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (s)
        sendto(s.value(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
               size);
}

void systemd_notifier::ready(std::string_view status) const { notify(fmt::format("READY=1\nSTATUS={}\n", status)); }

void systemd_notifier::reloading() const {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify(
        fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading\n", now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void systemd_notifier::stopping() const { notify("STOPPING=1\nSTATUS=shutting down\n"); }
void systemd_notifier::set_main_process(pid_t pid) const { notify(fmt::format("MAINPID={}\n", pid)); }
void systemd_notifier::ping_watchdog() const { notify("WATCHDOG=1\n"); }

std::vector<int> take_listen_fds() {
    std::vector<int> passed;
    long count = std::strtol(environment_value("LISTEN_FDS").c_str(), nullptr, 10);
    if (!environment_value("LISTEN_PID").empty() && is_for_this_process("LISTEN_PID")) {
        for (int fd = first_listen_fd; fd < first_listen_fd + count; ++fd) {
            set_close_on_exec(fd, true);
            passed.push_back(fd);
        }
    }
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
    return passed;
}

}  // namespace rondo::process
