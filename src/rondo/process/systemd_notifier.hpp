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
class supervisor {
public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    supervisor();

    void ready(std::string_view status) const;
    /// Must be followed by ready().
    void reloading() const;
    void stopping() const;
    /// Declares another process the main process of the service.
    void main_process(pid_t pid) const;
    /// Must be called every watchdog_interval().
    void alive() const;
    /// Half of the manager's watchdog timeout; 0: disabled.
    [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

private:
    void say(const std::string& text) const;

    std::string path_;
    std::chrono::microseconds watchdog_{0};
};

/// Returns the listening sockets passed by the service manager (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS), after
/// setting close-on-exec; none when they are meant for another process. Removes the variables from the environment.
[[nodiscard]] std::vector<int> passed_descriptors();

}  // namespace rondo::process
