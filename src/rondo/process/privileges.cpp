// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/privileges.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
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

#include <rondo/base/trusted_path.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

std::optional<unsigned> number(const std::string& text) {
    unsigned n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    // For the kernel the last number means "leave it as it is".
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    if (digits && (error != std::errc{} || n == static_cast<unsigned>(-1)))
        throw std::runtime_error(fmt::format("'{}' is not the number of a user or group: use 0 to 4294967294", text));
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

// The further groups may only be those of the user; a number without a name has none.
bool set_further_groups(const identity& who) {
    if (!who.user_name.empty()) return !initgroups(who.user_name.c_str(), who.group.value_or(getegid()));
    return !setgroups(0, nullptr);
}

// All that were asked for above, and no other.
void require_further_groups(const identity& who) {
    std::vector<gid_t> wanted;
    if (!who.user_name.empty()) {
        int count = 0;
        const gid_t own = who.group.value_or(getegid());
        getgrouplist(who.user_name.c_str(), own, nullptr, &count);
        wanted.resize(static_cast<std::size_t>(count));
        getgrouplist(who.user_name.c_str(), own, wanted.data(), &count);
        wanted.resize(static_cast<std::size_t>(std::max(count, 0)));
    }
    std::vector<gid_t> had(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
    if (getgroups(static_cast<int>(had.size()), had.data()) != static_cast<int>(had.size()))
        fail("the groups of this process cannot be read");
    for (const gid_t g : had)
        if (std::ranges::find(wanted, g) == wanted.end())
            throw std::runtime_error(fmt::format("this process still has the rights of group {}", g));
}

// What was asked for is compared with what the kernel says: a drop that is not complete must not go unnoticed.
void require_dropped(const identity& who) {
    uid_t user[3];
    gid_t group[3];
    if (getresuid(&user[0], &user[1], &user[2]) || getresgid(&group[0], &group[1], &group[2]))
        fail("the user of this process cannot be read");
    for (uid_t u : user)
        if (who.user && u != *who.user)
            throw std::runtime_error(fmt::format("this process still has the rights of user {}", u));
    for (gid_t g : group)
        if (who.group && g != *who.group)
            throw std::runtime_error(fmt::format("this process still has the rights of group {}", g));
    if (!who.user || *who.user == 0) return;
    if (!setuid(0))
        throw std::runtime_error("this process can still become the superuser: its rights were not dropped");
}

}  // namespace

identity identity_of(const std::string& user, const std::string& group) {
    identity who;
    if (!user.empty()) {
        auto n = number(user);
        const passwd* entry = n ? getpwuid(*n) : getpwnam(user.c_str());
        if (!entry && !n) throw std::runtime_error(fmt::format("user: this machine has no user '{}'", user));
        who.user = entry ? entry->pw_uid : *n;
        if (entry) {
            who.user_name = entry->pw_name;
            who.group = entry->pw_gid;
        } else {
            who.group = n;  // of a number without an entry nothing else is known; not the group of the superuser
        }
    }
    if (!group.empty()) {
        auto n = number(group);
        const ::group* entry = n ? nullptr : getgrnam(group.c_str());
        if (!entry && !n) throw std::runtime_error(fmt::format("group: this machine has no group '{}'", group));
        who.group = entry ? entry->gr_gid : *n;
    }
    return who;
}

void assume(const identity& who) {
    int on_death = 0;
    prctl(PR_GET_PDEATHSIG, &on_death);
    const bool drops = geteuid() == 0 && who.any();
    if (drops && !set_further_groups(who)) fail("the further groups of this process cannot be set");
    if (who.group && setresgid(*who.group, *who.group, *who.group))
        fail(fmt::format("this process cannot run as group {}", *who.group));
    if (who.user && setresuid(*who.user, *who.user, *who.user))
        fail(fmt::format("this process cannot run as user {}", *who.user));
    if (drops) require_further_groups(who);
    require_dropped(who);
    prctl(PR_SET_PDEATHSIG, on_death);
}

void give(const std::string& path, const identity& to) {
    if (!to.any()) return;
    const file_place at = place_of_file(path);
    uid_t user = to.user.value_or(static_cast<uid_t>(-1));
    gid_t group = to.group.value_or(static_cast<gid_t>(-1));
    // Looked at and changed by descriptor: between the two the path may become a link to another file.
    unique_fd fd(
        openat(at.folder.value(), at.name.c_str(), O_PATH | O_CLOEXEC | (is_system_path(path) ? 0 : O_NOFOLLOW)));
    struct stat status{};
    if (!fd || fstat(fd.value(), &status)) fail(fmt::format("'{}' cannot be given to another owner", path));
    if (S_ISLNK(status.st_mode))
        throw std::runtime_error(fmt::format("'{}' is a symbolic link: name the file itself", path));
    if (S_ISREG(status.st_mode) && status.st_nlink > 1)
        throw std::runtime_error(
            fmt::format("'{}' has {} names (hard links): name a file of its own", path, status.st_nlink));
    if (S_ISDIR(status.st_mode)) throw std::runtime_error(fmt::format("'{}' is a folder: name a file", path));
    if (fchownat(fd.value(), "", user, group, AT_EMPTY_PATH))
        fail(fmt::format("'{}' cannot be given to another owner", path));
}

}  // namespace rondo::process
