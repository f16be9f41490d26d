// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/trusted_path.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rondo {
namespace {

constexpr uid_t other_user = 65'534;

// A directory owned by root, "ours", and one of another user, "theirs", in a directory owned by root.
class TrustedPath : public ::testing::Test {
public:
    TrustedPath() {
        std::filesystem::create_directory(folder_ / "ours");
        std::filesystem::create_directories(folder_ / "theirs" / "log");
        write(folder_ / "ours" / "file");
    }
    ~TrustedPath() override { std::filesystem::remove_all(folder_); }

protected:
    static void write(const std::filesystem::path& at) { std::ofstream(at) << "text"; }
    void give_to_other_user() const {
        for (const char* name : {"theirs", "theirs/log"})
            ASSERT_EQ(lchown((folder_ / name).c_str(), other_user, other_user), 0);
    }
    static void link(const std::filesystem::path& to, const std::filesystem::path& at, uid_t owner = 0) {
        ASSERT_EQ(symlink(to.c_str(), at.c_str()), 0);
        ASSERT_EQ(lchown(at.c_str(), owner, owner), 0);
    }
    // True when the path resolves to the given file.
    static bool resolves_to(const std::filesystem::path& path, const std::filesystem::path& file) {
        const resolved_path place = resolve_trusted_path(path);
        struct stat a{};
        struct stat b{};
        return place.name == file.filename() && !fstat(place.directory.value(), &a) &&
               !stat(file.parent_path().c_str(), &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    }
    static int resolve_error(const std::filesystem::path& path) {
        try {
            (void)resolve_trusted_path(path);
        } catch (const std::system_error& e) {
            return e.code().value();
        }
        return 0;
    }

    std::filesystem::path folder_ = [] {
        std::string name = testing::TempDir() + "rondo-places-XXXXXX";
        const std::filesystem::path created = mkdtemp(name.data());
        chmod(created.c_str(), 0755);
        return created;
    }();
};

TEST_F(TrustedPath, resolves_existing_and_new_files) {
    EXPECT_TRUE(resolves_to(folder_ / "ours/file", folder_ / "ours/file"));
    EXPECT_TRUE(resolves_to(folder_ / "ours/new", folder_ / "ours/new"));
    EXPECT_TRUE(resolves_to(folder_ / "ours/../ours//.//new", folder_ / "ours/new"));
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder_ / "ours");
    EXPECT_TRUE(resolves_to("file", folder_ / "ours/file"));
    EXPECT_TRUE(resolves_to("../ours/new", folder_ / "ours/new"));
    std::filesystem::current_path(before);
    EXPECT_EQ(resolve_error(folder_ / "ours/"), EISDIR);
    EXPECT_EQ(resolve_error("/"), EISDIR);
    EXPECT_EQ(resolve_error(folder_ / "missing/file"), ENOENT);
    EXPECT_EQ(resolve_error(folder_ / "ours/file/x"), ENOTDIR);
    EXPECT_TRUE(resolves_to("/dev/stderr", "/dev/stderr"));
}

TEST_F(TrustedPath, does_not_follow_links_of_other_users_as_root) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    give_to_other_user();
    link(folder_ / "ours/file", folder_ / "theirs/log/app.log", other_user);
    EXPECT_EQ(resolve_error(folder_ / "theirs/log/app.log"), ELOOP);
    // A link owned by root in a directory of another user, who may have moved it there.
    link(folder_ / "ours/file", folder_ / "theirs/log/roots.log");
    EXPECT_EQ(resolve_error(folder_ / "theirs/log/roots.log"), ELOOP);
    // A directory on the way that was replaced by a link.
    std::filesystem::remove_all(folder_ / "theirs/log");
    link(folder_ / "ours", folder_ / "theirs/log", other_user);
    EXPECT_EQ(resolve_error(folder_ / "theirs/log/file"), ELOOP);
    EXPECT_EQ(resolve_error(folder_ / "theirs/log/new"), ELOOP);
    EXPECT_EQ(resolve_error(folder_ / "ours/../theirs/log/new"), ELOOP);
    // Any user may create links in a world-writable directory.
    ASSERT_EQ(chmod((folder_ / "ours").c_str(), 0777), 0);
    link(folder_ / "ours/file", folder_ / "ours/link");
    EXPECT_EQ(resolve_error(folder_ / "ours/link"), ELOOP);
    try {
        (void)resolve_trusted_path(folder_ / "theirs/log/new");
        ADD_FAILURE();
    } catch (const std::system_error& e) {
        EXPECT_NE(
            std::string(e.what()).find("'log' of '" + (folder_ / "theirs/log/new").string() + "' is a symbolic link"),
            std::string::npos)
            << e.what();
    }
}

TEST_F(TrustedPath, follows_links_of_root) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    link("ours", folder_ / "way");
    link("file", folder_ / "ours/last");
    link(folder_ / "way/last", folder_ / "first");
    EXPECT_TRUE(resolves_to(folder_ / "first", folder_ / "ours/file"));
    EXPECT_TRUE(resolves_to(folder_ / "way/new", folder_ / "ours/new"));
    // As in /tmp: other users cannot move the link.
    ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
    EXPECT_TRUE(resolves_to(folder_ / "way/new", folder_ / "ours/new"));
    link("round", folder_ / "ours/round");
    EXPECT_EQ(resolve_error(folder_ / "ours/round"), ELOOP);
}

TEST(SystemPath, is_a_device_or_descriptor) {
    for (const char* path : {"/dev/null", "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2", "/proc/1/fd/17"})
        EXPECT_TRUE(is_system_path(path)) << path;
    for (const char* path : {"/dev/shm/log", "/dev/fd/", "/dev/fd/9/log", "/proc/self/fd/9/log", "/proc/self/fd/9/",
                             "/proc/1/fd/9/log", "/proc/self/fd//9", "/proc/self/fd/../9", "/proc/self/fd/x", "fd/2"})
        EXPECT_FALSE(is_system_path(path)) << path;
}

TEST_F(TrustedPath, does_not_follow_links_in_a_directory_behind_a_descriptor_as_root) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    give_to_other_user();
    link(folder_ / "ours/file", folder_ / "theirs/log/app.log", other_user);
    const unique_fd fd(::open((folder_ / "theirs/log").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const char* descriptors : {"/proc/self/fd", "/dev/fd"})
        EXPECT_EQ(resolve_error(std::filesystem::path(descriptors) / std::to_string(fd.value()) / "app.log"), ELOOP);
}

TEST_F(TrustedPath, keeps_the_directory_when_its_path_is_redirected_later) {
    const resolved_path place = resolve_trusted_path(folder_ / "theirs/log/new");
    std::filesystem::rename(folder_ / "theirs/log", folder_ / "theirs/old");
    std::filesystem::create_symlink(folder_ / "ours", folder_ / "theirs/log");
    const unique_fd fd(
        openat(place.directory.value(), place.name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    EXPECT_TRUE(fd);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "theirs/old/new"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "ours/new"));
}

}  // namespace
}  // namespace rondo
