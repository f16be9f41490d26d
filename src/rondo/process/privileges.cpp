// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/privileges.hpp>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/base/trusted_path.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

std::optional<unsigned> parse_id(const std::string& text) {
    const std::optional<unsigned> n = parse_number<unsigned>(text);
    // For the kernel the largest ID means "unchanged".
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    if (digits && (!n || *n == static_cast<unsigned>(-1)))
        throw std::runtime_error(fmt::format("'{}' is not a user or group ID; expected 0 to 4294967294", text));
    return n;
}

[[noreturn]] void throw_errno(const std::string& message) {
    throw std::runtime_error(fmt::format("{}: {}", message, std::generic_category().message(errno)));
}

// The supplementary groups become those of the user; a user without a name has none.
bool set_supplementary_groups(const identity& id) {
    if (!id.user_name.empty()) return !initgroups(id.user_name.c_str(), id.group.value_or(getegid()));
    return !setgroups(0, nullptr);
}

// Fails when the process has a supplementary group other than those set above.
void verify_supplementary_groups(const identity& id) {
    std::vector<gid_t> expected;
    if (!id.user_name.empty()) {
        int count = 0;
        const gid_t own = id.group.value_or(getegid());
        getgrouplist(id.user_name.c_str(), own, nullptr, &count);
        expected.resize(static_cast<std::size_t>(count));
        getgrouplist(id.user_name.c_str(), own, expected.data(), &count);
        expected.resize(static_cast<std::size_t>(std::max(count, 0)));
    }
    std::vector<gid_t> actual(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
    if (getgroups(static_cast<int>(actual.size()), actual.data()) != static_cast<int>(actual.size()))
        throw_errno("cannot read the groups of this process");
    for (const gid_t g : actual)
        if (std::ranges::find(expected, g) == expected.end())
            throw std::runtime_error(fmt::format("this process still has the privileges of group {}", g));
}

// Compares the kernel's view with the request: an incomplete drop must not go unnoticed.
void verify_dropped(const identity& id) {
    uid_t user[3];
    gid_t group[3];
    if (getresuid(&user[0], &user[1], &user[2]) || getresgid(&group[0], &group[1], &group[2]))
        throw_errno("cannot read the user and group of this process");
    for (uid_t u : user)
        if (id.user && u != *id.user)
            throw std::runtime_error(fmt::format("this process still has the privileges of user {}", u));
    for (gid_t g : group)
        if (id.group && g != *id.group)
            throw std::runtime_error(fmt::format("this process still has the privileges of group {}", g));
    if (!id.user || *id.user == 0) return;
    if (!setuid(0)) throw std::runtime_error("this process can still become root: its privileges were not dropped");
}

}  // namespace

identity resolve_identity(const std::string& user, const std::string& group) {
    identity id;
    if (!user.empty()) {
        auto n = parse_id(user);
        const passwd* entry = n ? getpwuid(*n) : getpwnam(user.c_str());
        if (!entry && !n) throw std::runtime_error(fmt::format("user: unknown user '{}'", user));
        id.user = entry ? entry->pw_uid : *n;
        if (entry) {
            id.user_name = entry->pw_name;
            id.group = entry->pw_gid;
        } else {
            id.group = n;  // an ID without an entry has no known group; the group must not stay root's
        }
    }
    if (!group.empty()) {
        auto n = parse_id(group);
        const ::group* entry = n ? nullptr : getgrnam(group.c_str());
        if (!entry && !n) throw std::runtime_error(fmt::format("group: unknown group '{}'", group));
        id.group = entry ? entry->gr_gid : *n;
    }
    return id;
}

void drop_privileges(const identity& id) {
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    const bool drops = geteuid() == 0 && id.is_set();
    if (drops && !set_supplementary_groups(id)) throw_errno("cannot set the supplementary groups of this process");
    if (id.group && setresgid(*id.group, *id.group, *id.group))
        throw_errno(fmt::format("cannot run this process as group {}", *id.group));
    if (id.user && setresuid(*id.user, *id.user, *id.user))
        throw_errno(fmt::format("cannot run this process as user {}", *id.user));
    if (drops) verify_supplementary_groups(id);
    verify_dropped(id);
    prctl(PR_SET_PDEATHSIG, death_signal);
}

void change_owner(const std::string& path, const identity& to) {
    if (!to.is_set()) return;
    const resolved_path at = resolve_trusted_path(path);
    uid_t user = to.user.value_or(static_cast<uid_t>(-1));
    gid_t group = to.group.value_or(static_cast<gid_t>(-1));
    // Checked and changed by descriptor: in between the path could become a link to another file.
    unique_fd fd(
        openat(at.directory.value(), at.name.c_str(), O_PATH | O_CLOEXEC | (is_system_path(path) ? 0 : O_NOFOLLOW)));
    struct stat status{};
    if (!fd || fstat(fd.value(), &status)) throw_errno(fmt::format("cannot change the owner of '{}'", path));
    if (S_ISLNK(status.st_mode))
        throw std::runtime_error(fmt::format("'{}' is a symbolic link; name the file itself", path));
    if (S_ISREG(status.st_mode) && status.st_nlink > 1)
        throw std::runtime_error(
            fmt::format("'{}' has {} hard links; name a file with a single one", path, status.st_nlink));
    if (S_ISDIR(status.st_mode)) throw std::runtime_error(fmt::format("'{}' is a directory; name a file", path));
    if (fchownat(fd.value(), "", user, group, AT_EMPTY_PATH))
        throw_errno(fmt::format("cannot change the owner of '{}'", path));
}

}  // namespace rondo::process
