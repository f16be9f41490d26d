// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/folder.hpp>

#include <system_error>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <rondo/web/exchange_fixture.hpp>

namespace rondo {
namespace {

namespace fs = std::filesystem;
using open_error = folder::open_error;
using resolution = folder::resolution;

std::string content_of(const opened_file& file) {
    std::string content(file.size, '\0');
    EXPECT_EQ(::pread(file.fd.value(), content.data(), content.size(), 0), static_cast<ssize_t>(file.size));
    return content;
}

/// Tests both ways of resolving a name.
class FolderResolution : public ::testing::TestWithParam<resolution> {
protected:
    FolderResolution() {
        dir_.write_file("site/hello.txt", "hello static\n");
        dir_.write_file("site/css/deep/a.css", "a{}");
        dir_.write_file("site/.hidden", "no");
        dir_.write_file("site/.git/config", "no");
        dir_.write_file("secret", "outside");
        dir_.write_file("site-other/file", "outside");
    }
    [[nodiscard]] folder make() const { return folder(dir_.path_of("site"), GetParam()); }
    void expect_error(const char* name, open_error error) const {
        const auto file = make().open(name);
        ASSERT_FALSE(file) << name;
        EXPECT_EQ(file.error(), error) << name;
    }

    testing::temporary_folder dir_;
};

INSTANTIATE_TEST_SUITE_P(both, FolderResolution, ::testing::Values(resolution::automatic, resolution::walk),
                         [](const auto& p) { return p.param == resolution::walk ? "walk" : "automatic"; });

TEST_P(FolderResolution, opens_files_inside) {
    const folder in = make();
    const auto hello = in.open("hello.txt");
    ASSERT_TRUE(hello);
    EXPECT_EQ(content_of(*hello), "hello static\n");
    EXPECT_GT(hello->modified_ns, 1'000'000'000'000'000'000);
    EXPECT_TRUE(in.open("css/deep/a.css"));
}

TEST_P(FolderResolution, rejects_names_outside) {
    for (const char* name : {"../secret",
                             "css/../../secret",
                             "..",
                             ".",
                             "/etc/passwd",
                             "//etc/passwd",
                             "css//deep/a.css",
                             "./hello.txt",
                             "....//secret",
                             "..;/secret",
                             "..\\secret",
                             "../site-other/file",
                             "",
                             "/",
                             "hello.txt/",
                             "hello.txt/x",
                             "css/",
                             ".hidden",
                             ".git/config",
                             ".git",
                             "css/.a",
                             "nothing",
                             "css\\deep\\a.css",
                             "hello.txt\n",
                             "\xc0\xae\xc0\xae/secret",
                             "%2e%2e/secret"}) {
        expect_error(name, open_error::not_found);
    }
    const folder in = make();
    EXPECT_FALSE(in.open(std::string_view("hello.txt\0", 10)));
    EXPECT_FALSE(in.open(std::string_view("hello.txt\0.png", 14)));
    EXPECT_FALSE(in.open(std::string(5000, 'a')));
    EXPECT_FALSE(in.open(std::string(300, 'a')));
}

TEST_P(FolderResolution, reports_folders) {
    expect_error("css", open_error::is_directory);
    expect_error("css/deep", open_error::is_directory);
}

TEST_P(FolderResolution, does_not_follow_links_to_the_outside) {
    fs::create_symlink("/etc/passwd", dir_.path_of("site/escape"));
    fs::create_symlink("../secret", dir_.path_of("site/up"));
    fs::create_symlink("..", dir_.path_of("site/parent"));
    fs::create_symlink("/etc", dir_.path_of("site/etc"));
    fs::create_symlink("/proc/self/root", dir_.path_of("site/magic"));
    fs::create_symlink("loop", dir_.path_of("site/loop"));
    fs::create_symlink("../../site/hello.txt", dir_.path_of("site/css/around"));
    for (const char* name : {"escape", "up", "parent/secret", "etc/passwd", "magic/etc/passwd", "loop", "css/around"}) {
        expect_error(name, open_error::not_found);
    }
}

TEST_P(FolderResolution, follows_links_to_the_inside_if_the_kernel_can_check) {
    fs::create_symlink("../hello.txt", dir_.path_of("site/css/link"));
    EXPECT_EQ(make().open("css/link").has_value(), GetParam() == resolution::automatic);
}

TEST_P(FolderResolution, opens_regular_files_only) {
    ASSERT_EQ(::mkfifo(dir_.path_of("site/fifo").c_str(), 0600), 0);
    expect_error("fifo", open_error::not_found);  // without waiting for a writer
}

// Waits until the folder is re-opened, at most a second.
template <class Done>
bool within_a_second(Done done) {
    const instant end = clock::now() + std::chrono::seconds(1);
    do {
        if (done()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } while (clock::now() < end);
    return done();
}

TEST_P(FolderResolution, uses_a_recreated_folder) {
    const folder in = make();
    EXPECT_TRUE(in.open("hello.txt"));
    fs::rename(dir_.path_of("site"), dir_.path_of("moved"));
    EXPECT_TRUE(in.open("hello.txt")) << "the previous folder stays in use until there is a new one";
    fs::create_directory(dir_.path_of("site"));
    dir_.write_file("site/new.txt", "new");
    EXPECT_TRUE(within_a_second([&] { return in.open("new.txt").has_value(); }));
    EXPECT_FALSE(in.open("hello.txt"));
    fs::remove_all(dir_.path_of("site"));
    EXPECT_FALSE(in.open("new.txt"));
    fs::create_directory(dir_.path_of("site"));
    dir_.write_file("site/newer.txt", "newer");
    EXPECT_TRUE(within_a_second([&] { return in.open("newer.txt").has_value(); }));
}

TEST_P(FolderResolution, follows_a_switched_link) {
    for (const char* release : {"r1", "r2"}) {
        fs::create_directory(dir_.path_of(release));
        dir_.write_file(std::string(release) + "/a", release);
    }
    fs::create_directory_symlink("r1", dir_.path_of("current"));
    fs::create_symlink("../r1/a", dir_.path_of("r2/out"));
    const folder in(dir_.path_of("current"), GetParam());
    EXPECT_EQ(content_of(*in.open("a")), "r1");
    fs::create_directory_symlink("r2", dir_.path_of("next"));
    fs::rename(dir_.path_of("next"), dir_.path_of("current"));
    EXPECT_TRUE(within_a_second([&] { return content_of(*in.open("a")) == "r2"; }));
    EXPECT_FALSE(in.open("out")) << "a link to the outside of the new folder was followed";
    EXPECT_FALSE(in.open("../r1/a"));
}

TEST(Folder, is_found_after_a_change_of_the_working_directory) {
    const testing::temporary_folder dir;
    fs::create_directory(dir.path_of("site"));
    dir.write_file("site/a", "a");
    const fs::path before = fs::current_path();
    fs::current_path(dir.path);
    const folder in("site");
    fs::current_path("/");
    EXPECT_TRUE(in.open("a"));
    fs::remove_all(dir.path_of("site"));
    fs::create_directory(dir.path_of("site"));
    dir.write_file("site/b", "b");
    EXPECT_TRUE(within_a_second([&] { return in.open("b").has_value(); }));
    fs::current_path(before);
}

TEST(Folder, reports_a_missing_folder) {
    try {
        const folder in("/nowhere/at/all");
        FAIL();
    } catch (const std::runtime_error& e) {
        EXPECT_NE(std::string_view(e.what()).find("'/nowhere/at/all'"), std::string_view::npos);
        EXPECT_NE(std::string_view(e.what()).find("expected a readable folder"), std::string_view::npos);
    }
    const testing::temporary_folder dir;
    dir.write_file("file", "");
    EXPECT_THROW(folder(dir.path_of("file")), std::runtime_error);
}

TEST(OpenFile, opens_regular_files_only) {
    const testing::temporary_folder dir;
    dir.write_file("a", "abc");
    EXPECT_EQ(content_of(open_file(dir.path_of("a"))), "abc");
    EXPECT_THROW((void)open_file(dir.path_of("b")), std::system_error);
    try {
        (void)open_file(dir.path.string());
        FAIL();
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EISDIR);
    }
}

}  // namespace
}  // namespace rondo
