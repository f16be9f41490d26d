// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace rondo::process {

/// A user and a group to run as; nothing: as it is.
struct identity {
    std::optional<uid_t> user;
    std::optional<gid_t> group;
    std::string user_name;  ///< for the further groups of the user; empty when it has no name

    [[nodiscard]] bool any() const noexcept { return user || group; }
};

/// Names or numbers; empty ones stand for nothing. A user without a group has its own. Throws std::runtime_error with a
/// sentence when there is none of that name.
[[nodiscard]] identity identity_of(const std::string& user, const std::string& group);

/// This process runs so from now on, for good. It must have one thread. What would kill it with its parent is kept.
/// Throws std::runtime_error with a sentence: only the superuser may.
void assume(const identity& who);

/// Gives a file to it, never what a symbolic link leads to (outside /dev and /proc) nor a file with several names.
/// Throws std::runtime_error with a sentence.
void give(const std::string& path, const identity& to);

}  // namespace rondo::process
