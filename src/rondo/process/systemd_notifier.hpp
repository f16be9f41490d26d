// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace rondo::process {

/// Who started this process as a service, told how it goes: the protocol of sd_notify(3), one datagram to the socket
/// named by NOTIFY_SOCKET. Nothing happens when there is none.
class supervisor {
public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    supervisor();

    void ready(std::string_view status) const;
    /// Followed by ready() when it is over.
    void reloading() const;
    void stopping() const;
    void status(std::string_view text) const;
    /// Another process is the service from now on.
    void main_process(pid_t pid) const;
    /// A sign of life, due every watchdog().
    void alive() const;
    /// Half of what the manager waits for one; 0: it does not.
    [[nodiscard]] std::chrono::microseconds watchdog() const noexcept { return watchdog_; }

private:
    void say(const std::string& text) const;

    std::string path_;
    std::chrono::microseconds watchdog_{0};
};

/// The descriptors of listening sockets that were passed (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS), close-on-exec from
/// now on; none when they are not meant for this process. Removes the variables.
[[nodiscard]] std::vector<int> passed_descriptors();

}  // namespace rondo::process
