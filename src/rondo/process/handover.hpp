// SPDX-License-Identifier: Apache-2.0
// State that one image of the program hands over to the next across exec: listeners, slot tables, children.
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

/// State handed from one image of the program to the next in an anonymous file. The environment variable
/// RONDO_HANDOVER holds its descriptor and the PID it is meant for.
struct handover {
    enum class kind : unsigned char {
        none,     ///< first start
        reload,   ///< this process was re-executed and still has its children
        check,    ///< config check: only tests whether a re-execution would succeed
        upgrade,  ///< started by another arbiter, which shares its listeners
    };
    struct table {
        std::string group;
        unique_fd fd;
    };
    struct process {
        pid_t pid = 0;
        unsigned generation = 0;
        std::size_t slot = 0;
        bool terminating = false;
        std::string group;
    };

    kind reason = kind::none;
    pid_t old_arbiter = 0;     ///< arbiter that started this one on USR2, 0: none
    pid_t new_arbiter = 0;     ///< arbiter started by this one on USR2, 0: none
    unsigned generation = 0;   ///< of the image that wrote this
    std::string pid_file;      ///< of that image
    unique_fd wakeup_fd;       ///< eventfd with which children wake the arbiter
    control_channel commands;  ///< carries the commands of children
    std::vector<managed_listener> listeners;
    std::vector<table> tables;
    std::vector<process> children;

    /// Reads the state meant for this process and removes it from the environment. Throws std::runtime_error when it is
    /// malformed.
    [[nodiscard]] static handover from_environment();
    /// Takes a listener with this key, if any is left. Several may have the same key.
    [[nodiscard]] std::optional<managed_listener> take_listener(std::string_view group, std::string_view key);

    [[nodiscard]] std::string text() const;
    /// Throws std::runtime_error.
    [[nodiscard]] static handover parse(std::string_view text);
    /// Stores the state for the program that process `to` executes next, and clears close-on-exec of its descriptors.
    /// Throws std::system_error.
    void export_to_environment(pid_t to) const;
    /// Undoes export_to_environment().
    void unset_environment() const noexcept;

private:
    void pass_descriptors(bool pass) const noexcept;
};

}  // namespace rondo::process
