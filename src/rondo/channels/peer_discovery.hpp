// SPDX-License-Identifier: Apache-2.0
// How the processes of one server find each other: abstract unix socket names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// The processes of one server find each other by a common prefix of abstract unix socket names (unix(7)), "rondo-ID".
/// It is set once, before `cli` forks the processes; it stays empty, and no socket is created, in a server with a
/// single process. Processes of other users are ignored.
namespace peer_discovery {

/// Sets the prefix. Must not be called while channels are in use. Throws std::invalid_argument for more than 40 bytes.
void set_name(std::string name);
[[nodiscard]] const std::string& name() noexcept;
/// A random prefix: "rondo-" and 16 hexadecimal digits.
[[nodiscard]] std::string make_name();

/// Returns a listening socket with a name "NAME/...", or nothing when another process owns the name. The name becomes
/// free when its owner ends, however it ends. Throws std::system_error.
[[nodiscard]] unique_fd claim_name(std::string_view full_name);
/// The names in use that begin with `prefix`. Throws std::runtime_error when the kernel does not list them.
[[nodiscard]] std::vector<std::string> find_names(std::string_view prefix);
/// The process that owns a name which claim_name() could not obtain.
struct name_owner {
    unique_fd connection;  ///< hangs up when the process ends; null, with `error` set, when there is none
    int error = 0;         ///< errno of the attempt; the other fields are unset then
    uid_t uid = 0;         ///< user of the process when it started to listen
    pid_t pid = 0;         ///< 0 when unknown

    /// Whether the owner runs as this process's user or as root.
    [[nodiscard]] bool is_trusted() const noexcept;
};
/// Connects to the owner of a name without waiting. Throws std::system_error when no socket can be created.
[[nodiscard]] name_owner owner_of(std::string_view full_name);
/// Returns a non-blocking connection; nothing when the process has ended or belongs to another user.
[[nodiscard]] unique_fd connect(std::string_view full_name);
/// Whether the peer of a unix socket runs as this process's user.
[[nodiscard]] bool is_same_user(int socket) noexcept;
/// The process at the other end; for the connecting end the one that listened. 0 when unknown.
[[nodiscard]] pid_t peer_pid(int socket) noexcept;

}  // namespace peer_discovery
}  // namespace rondo
