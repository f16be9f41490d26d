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

constexpr uid_t stranger = 65'534;

// A folder of root, "ours", and one that belongs to somebody else, "theirs", below one that is root's.
class places : public ::testing::Test {
public:
    places() {
        std::filesystem::create_directory(folder_ / "ours");
        std::filesystem::create_directories(folder_ / "theirs" / "log");
        write(folder_ / "ours" / "file");
    }
    ~places() override { std::filesystem::remove_all(folder_); }

protected:
    static void write(const std::filesystem::path& at) { std::ofstream(at) << "text"; }
    void give_away() const {
        for (const char* name : {"theirs", "theirs/log"})
            ASSERT_EQ(lchown((folder_ / name).c_str(), stranger, stranger), 0);
    }
    static void link(const std::filesystem::path& to, const std::filesystem::path& at, uid_t owner = 0) {
        ASSERT_EQ(symlink(to.c_str(), at.c_str()), 0);
        ASSERT_EQ(lchown(at.c_str(), owner, owner), 0);
    }
    // Whether the place of this path is the same as that of another file.
    static bool leads_to(const std::filesystem::path& path, const std::filesystem::path& file) {
        const file_place at = place_of_file(path);
        struct stat a{};
        struct stat b{};
        return at.name == file.filename() && !fstat(at.folder.value(), &a) && !stat(file.parent_path().c_str(), &b) &&
               a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    }
    static int error_of(const std::filesystem::path& path) {
        try {
            (void)place_of_file(path);
        } catch (const std::system_error& e) {
            return e.code().value();
        }
        return 0;
    }

    std::filesystem::path folder_ = [] {
        std::string name = testing::TempDir() + "rondo-places-XXXXXX";
        const std::filesystem::path made = mkdtemp(name.data());
        chmod(made.c_str(), 0755);
        return made;
    }();
};

TEST_F(places, files_there_and_to_be) {
    EXPECT_TRUE(leads_to(folder_ / "ours/file", folder_ / "ours/file"));
    EXPECT_TRUE(leads_to(folder_ / "ours/new", folder_ / "ours/new"));
    EXPECT_TRUE(leads_to(folder_ / "ours/../ours//.//new", folder_ / "ours/new"));
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(folder_ / "ours");
    EXPECT_TRUE(leads_to("file", folder_ / "ours/file"));
    EXPECT_TRUE(leads_to("../ours/new", folder_ / "ours/new"));
    std::filesystem::current_path(before);
    EXPECT_EQ(error_of(folder_ / "ours/"), EISDIR);
    EXPECT_EQ(error_of("/"), EISDIR);
    EXPECT_EQ(error_of(folder_ / "missing/file"), ENOENT);
    EXPECT_EQ(error_of(folder_ / "ours/file/x"), ENOTDIR);
    EXPECT_TRUE(leads_to("/dev/stderr", "/dev/stderr"));
}

TEST_F(places, links_that_somebody_else_made_lead_the_superuser_nowhere) {
    if (geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    give_away();
    link(folder_ / "ours/file", folder_ / "theirs/log/app.log", stranger);
    EXPECT_EQ(error_of(folder_ / "theirs/log/app.log"), ELOOP);
    // A link of root in a folder that is not: it may have been put there.
    link(folder_ / "ours/file", folder_ / "theirs/log/roots.log");
    EXPECT_EQ(error_of(folder_ / "theirs/log/roots.log"), ELOOP);
    // A folder on the way that its owner replaced.
    std::filesystem::remove_all(folder_ / "theirs/log");
    link(folder_ / "ours", folder_ / "theirs/log", stranger);
    EXPECT_EQ(error_of(folder_ / "theirs/log/file"), ELOOP);
    EXPECT_EQ(error_of(folder_ / "theirs/log/new"), ELOOP);
    EXPECT_EQ(error_of(folder_ / "ours/../theirs/log/new"), ELOOP);
    // Everybody may make links there.
    ASSERT_EQ(chmod((folder_ / "ours").c_str(), 0777), 0);
    link(folder_ / "ours/file", folder_ / "ours/link");
    EXPECT_EQ(error_of(folder_ / "ours/link"), ELOOP);
    try {
        (void)place_of_file(folder_ / "theirs/log/new");
        ADD_FAILURE();
    } catch (const std::system_error& e) {
        EXPECT_NE(
            std::string(e.what()).find("'log' of '" + (folder_ / "theirs/log/new").string() + "' is a symbolic link"),
            std::string::npos)
            << e.what();
    }
}

TEST_F(places, links_of_the_superuser_are_followed) {
    if (geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    link("ours", folder_ / "way");
    link("file", folder_ / "ours/last");
    link(folder_ / "way/last", folder_ / "first");
    EXPECT_TRUE(leads_to(folder_ / "first", folder_ / "ours/file"));
    EXPECT_TRUE(leads_to(folder_ / "way/new", folder_ / "ours/new"));
    // As in /tmp: nobody else can move it.
    ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
    EXPECT_TRUE(leads_to(folder_ / "way/new", folder_ / "ours/new"));
    link("round", folder_ / "ours/round");
    EXPECT_EQ(error_of(folder_ / "ours/round"), ELOOP);
}

TEST(system_paths, are_devices_and_descriptors) {
    for (const char* path : {"/dev/null", "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2", "/proc/1/fd/17"})
        EXPECT_TRUE(is_system_path(path)) << path;
    for (const char* path : {"/dev/shm/log", "/dev/fd/", "/dev/fd/9/log", "/proc/self/fd/9/log", "/proc/self/fd/9/",
                             "/proc/1/fd/9/log", "/proc/self/fd//9", "/proc/self/fd/../9", "/proc/self/fd/x", "fd/2"})
        EXPECT_FALSE(is_system_path(path)) << path;
}

TEST_F(places, links_in_a_folder_behind_a_descriptor_lead_the_superuser_nowhere) {
    if (geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    give_away();
    link(folder_ / "ours/file", folder_ / "theirs/log/app.log", stranger);
    const unique_fd fd(::open((folder_ / "theirs/log").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const char* descriptors : {"/proc/self/fd", "/dev/fd"})
        EXPECT_EQ(error_of(std::filesystem::path(descriptors) / std::to_string(fd.value()) / "app.log"), ELOOP);
}

// What a folder is led to after it was looked at changes nothing.
TEST_F(places, stay_what_they_are) {
    const file_place at = place_of_file(folder_ / "theirs/log/new");
    std::filesystem::rename(folder_ / "theirs/log", folder_ / "theirs/old");
    std::filesystem::create_symlink(folder_ / "ours", folder_ / "theirs/log");
    const unique_fd fd(openat(at.folder.value(), at.name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    EXPECT_TRUE(fd);
    EXPECT_TRUE(std::filesystem::exists(folder_ / "theirs/old/new"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "ours/new"));
}

}  // namespace
}  // namespace rondo
