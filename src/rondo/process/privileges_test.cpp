// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/privileges.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rondo::process {
namespace {

constexpr uid_t unknown_user = 54321;

class Privileges : public ::testing::Test {
protected:
    Privileges() {
        char name[] = "/tmp/rondo-rights-XXXXXX";
        folder_ = mkdtemp(name);
        file_ = folder_ + "/file";
        link_ = folder_ + "/link";
        std::fclose(std::fopen(file_.c_str(), "w"));
    }
    ~Privileges() override {
        unlink(link_.c_str());
        unlink(file_.c_str());
        rmdir(folder_.c_str());
    }
    [[nodiscard]] uid_t owner() const {
        struct stat status{};
        stat(file_.c_str(), &status);
        return status.st_uid;
    }

    std::string folder_, file_, link_;
};

TEST_F(Privileges, does_not_change_the_owner_of_a_link_target) {
    if (geteuid() != 0) GTEST_SKIP() << "requires root";
    const identity other = resolve_identity(std::to_string(unknown_user), "");
    ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);  // otherwise the link is trusted
    ASSERT_EQ(symlink(file_.c_str(), link_.c_str()), 0);
    EXPECT_THROW(change_owner(link_, other), std::runtime_error);
    unlink(link_.c_str());
    ASSERT_EQ(link(file_.c_str(), link_.c_str()), 0);
    EXPECT_THROW(change_owner(link_, other), std::runtime_error);
    EXPECT_EQ(owner(), 0U);
    unlink(link_.c_str());
    change_owner(file_, other);
    EXPECT_EQ(owner(), unknown_user);
}

TEST_F(Privileges, drops_all_groups_for_a_uid_without_a_name) {
    if (geteuid() != 0) GTEST_SKIP() << "requires root";
    const pid_t child = fork();
    if (child == 0) {
        const gid_t groups[] = {0, 27, 42};
        if (setgroups(3, groups)) _exit(2);
        drop_privileges(resolve_identity(std::to_string(unknown_user), ""));
        _exit(getgroups(0, nullptr) == 0 && getuid() == unknown_user && getegid() != 0 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(Privileges, rejects_invalid_ids) {
    for (const char* text : {"4294967295", "4294967296", "99999999999999999999", "-1", "0x10", "12 "}) {
        EXPECT_THROW((void)resolve_identity(text, ""), std::runtime_error) << text;
        EXPECT_THROW((void)resolve_identity("", text), std::runtime_error) << text;
    }
}

}  // namespace
}  // namespace rondo::process
