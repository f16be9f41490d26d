// SPDX-License-Identifier: Apache-2.0
// The service manager's protocols: sd_notify(3) status and watchdog, sd_listen_fds(3) socket activation.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace rondo::process {

/// Reports the state of the service with the protocol of sd_notify(3): one datagram to the socket named by
/// NOTIFY_SOCKET. Does nothing when that is not set.
class systemd_notifier {
public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    systemd_notifier();

    void ready(std::string_view status) const;
    /// Must be followed by ready().
    void reloading() const;
    void stopping() const;
    /// Declares another process the main process of the service.
    void set_main_process(pid_t pid) const;
    /// Must be called every watchdog_interval().
    void ping_watchdog() const;
    /// Half of the manager's watchdog timeout; 0: disabled.
    [[nodiscard]] std::chrono::microseconds watchdog_interval() const noexcept { return watchdog_interval_; }

private:
    void notify(const std::string& text) const;

    std::string path_;
    std::chrono::microseconds watchdog_interval_{0};
};

/// Returns the listening sockets passed by the service manager (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS), after
/// setting close-on-exec; none when they are meant for another process. Removes the variables from the environment.
[[nodiscard]] std::vector<int> take_listen_fds();

}  // namespace rondo::process
