// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/process/control_command.hpp>
#include <rondo/process/managed_listener.hpp>

namespace rondo::process {

/// What one image of a program leaves to the next: written to an anonymous file whose descriptor and addressee stand
/// in the variable RONDO_INHERIT.
struct inheritance {
    enum class kind : unsigned char {
        none,     ///< a first start
        reload,   ///< this process was re-executed: its children are there
        check,    ///< only to find out whether a re-execution would succeed
        upgrade,  ///< started beside another arbiter, whose sockets it shares
    };
    struct table {
        std::string group;
        unique_fd fd;
    };
    struct process {
        pid_t pid = 0;
        unsigned generation = 0;
        std::size_t slot = 0;
        bool leaving = false;
        std::string group;
    };

    kind what = kind::none;
    pid_t from = 0;           ///< the arbiter beside which this one was started, 0: none
    pid_t beside = 0;         ///< the arbiter that this one started, 0: none
    unsigned generation = 0;  ///< of the image that wrote this
    std::string pid_file;     ///< which that image keeps
    unique_fd notify;         ///< what children wake the arbiter with
    order_line orders;        ///< what children give orders through
    std::vector<kept_socket> sockets;
    std::vector<table> tables;
    std::vector<process> children;

    /// Takes what was left to this process, and removes it from the environment. Throws std::runtime_error when it
    /// cannot be read.
    [[nodiscard]] static inheritance take();
    /// The socket that was listened on for this key; nothing when there is none. One key may stand for several.
    [[nodiscard]] std::optional<kept_socket> socket_of(std::string_view group, std::string_view key);

    [[nodiscard]] std::string text() const;
    /// Throws std::runtime_error.
    [[nodiscard]] static inheritance parse(std::string_view text);
    /// Writes this where the process `to` finds it after it executed a program, and lets the descriptors named in it
    /// pass. Throws std::system_error.
    void leave_to(pid_t to) const;
    /// Undoes leave_to().
    void withdraw() const noexcept;

private:
    void pass_descriptors(bool pass) const noexcept;
};

}  // namespace rondo::process
