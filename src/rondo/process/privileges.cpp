// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/privileges.hpp>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace rondo::process {

namespace {

std::optional<unsigned> number(const std::string& text) {
    unsigned n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
}

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::generic_category().message(errno)));
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
    if (who.group && (*who.group != getegid() || geteuid() == 0)) {
        bool changed = who.user_name.empty() ? !setgroups(0, nullptr) : !initgroups(who.user_name.c_str(), *who.group);
        if (!changed || setgid(*who.group)) fail(fmt::format("this process cannot run as group {}", *who.group));
    }
    if (who.user && *who.user != geteuid() && setuid(*who.user))
        fail(fmt::format("this process cannot run as user {}", *who.user));
    prctl(PR_SET_PDEATHSIG, on_death);
}

void give(const std::string& path, const identity& to) {
    if (!to.any()) return;
    uid_t user = to.user.value_or(static_cast<uid_t>(-1));
    gid_t group = to.group.value_or(static_cast<gid_t>(-1));
    if (chown(path.c_str(), user, group)) fail(fmt::format("'{}' cannot be given to another owner", path));
}

}  // namespace rondo::process
