// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/unique_fd.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace rondo {
namespace {

int new_fd() { return ::eventfd(0, EFD_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, owns_nothing_by_default) {
    unique_fd none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.value(), -1);
}

TEST(UniqueFd, closes_when_destroyed) {
    int fd = new_fd();
    {
        unique_fd owner(fd);
        EXPECT_TRUE(owner);
        EXPECT_EQ(owner.value(), fd);
    }
    EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, closes_the_old_descriptor_on_move_assignment) {
    unique_fd a(new_fd()), b(new_fd());
    int first = a.value(), second = b.value();
    a = std::move(b);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(a.value(), second);
    EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move): checks that it is empty
    auto& same = a;
    a = std::move(same);
    EXPECT_TRUE(is_open(second));
    unique_fd c(std::move(a));
    EXPECT_EQ(c.value(), second);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): the same
}

TEST(UniqueFd, releases_without_closing) {
    unique_fd a(new_fd());
    int fd = a.release();
    EXPECT_FALSE(a);
    EXPECT_TRUE(is_open(fd));
    unique_fd closes(fd);
}

TEST(UniqueFd, reset_preserves_errno) {
    unique_fd a(new_fd());
    int fd = a.value();
    errno = ENOENT;
    a.reset();
    EXPECT_EQ(errno, ENOENT);
    EXPECT_FALSE(is_open(fd));
    a.reset(new_fd());
    EXPECT_TRUE(a);
}

}  // namespace
}  // namespace rondo
