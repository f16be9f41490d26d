// SPDX-License-Identifier: Apache-2.0
// Dropping privileges: user and group lookup, setresuid/setresgid, and changing the owner of files.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace rondo::process {

/// A user and a group to run as; std::nullopt: unchanged.
struct identity {
    std::optional<uid_t> user;
    std::optional<gid_t> group;
    std::string user_name;  ///< determines the supplementary groups; empty for a user without a name

    [[nodiscard]] bool is_set() const noexcept { return user || group; }
};

/// Takes names or numeric IDs; empty means unchanged. Without a group, the user's primary group is used. Throws
/// std::runtime_error with a message for users when a name is unknown.
[[nodiscard]] identity resolve_identity(const std::string& user, const std::string& group);

/// Irrevocably switches this process to that user and group. The process must have one thread. PR_SET_PDEATHSIG is
/// preserved. Throws std::runtime_error with a message for users; requires root.
void drop_privileges(const identity& id);

/// Changes the owner of a file. Refuses symbolic links (outside /dev and /proc) and files with several hard links.
/// Throws std::runtime_error with a message for users.
void change_owner(const std::string& path, const identity& to);

}  // namespace rondo::process
