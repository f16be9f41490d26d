// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// Where the processes of one server find each other: the start of abstract unix socket names (unix(7)), "rondo-ID".
/// Set once, before the processes are forked, by whoever forks them (`cli`); empty, and no socket is made, in a server
/// of one process. Only processes of the same user are met, whatever others bind.
namespace rendezvous {

/// Not while channels are in use. Throws std::invalid_argument when it is longer than 40 bytes.
void set(std::string name);
[[nodiscard]] const std::string& name() noexcept;
/// "rondo-" and a suffix.
[[nodiscard]] std::string make_name();
/// 16 random hexadecimal digits.
[[nodiscard]] std::string make_suffix();

/// A listening socket of a name "NAME/...", or nothing when another process has the name. It is free again when its
/// owner ends, however it ends. Throws std::system_error.
[[nodiscard]] unique_fd claim(std::string_view full_name);
/// Who listens now on a name that begins with `prefix`. Throws std::runtime_error when the kernel does not tell.
[[nodiscard]] std::vector<std::string> find(std::string_view prefix);
/// The process that has a name which claim() did not give.
struct holder {
    unique_fd connection;  ///< hangs up when the process ends; null, with `error` set, when there is none
    int error = 0;         ///< why not; the rest is not known then
    uid_t user = 0;        ///< of the process when it began to listen
    pid_t process = 0;     ///< 0 when it cannot be told

    /// Whether it belongs to this process's user, or to the superuser, who may do as that one.
    [[nodiscard]] bool trusted() const noexcept;
};
/// Connects to it without waiting. Throws std::system_error when no socket can be made.
[[nodiscard]] holder holder_of(std::string_view full_name);
/// A non-blocking connection to one of them; nothing when it is gone or belongs to another user.
[[nodiscard]] unique_fd connect(std::string_view full_name);
/// Whether the other end of a unix socket belongs to this process's user.
[[nodiscard]] bool same_user(int socket) noexcept;
/// The process at the other end; of a connecting end the one that listened. 0 when it cannot be told.
[[nodiscard]] pid_t process_of(int socket) noexcept;

}  // namespace rendezvous
}  // namespace rondo
