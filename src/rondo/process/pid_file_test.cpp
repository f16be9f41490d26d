// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/pid_file.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rondo::process {
namespace {

class pid_files : public ::testing::Test {
protected:
    pid_files() {
        char name[] = "/tmp/rondo-pid-XXXXXX";
        folder_ = mkdtemp(name);
        path_ = folder_ + "/pid";
    }
    ~pid_files() override {
        for (const char* name : {"/pid", "/other"}) unlink((folder_ + name).c_str());
        rmdir(folder_.c_str());
    }
    static std::string content(const std::string& path) {
        std::string text;
        if (std::FILE* f = std::fopen(path.c_str(), "r")) {
            for (int c = 0; (c = std::fgetc(f)) != EOF;) text += static_cast<char>(c);
            std::fclose(f);
        }
        return text;
    }
    static void put(const std::string& path, const std::string& text) {
        std::FILE* f = std::fopen(path.c_str(), "w");
        std::fputs(text.c_str(), f);
        std::fclose(f);
    }

    std::string folder_, path_;
};

TEST_F(pid_files, hold_the_number_until_the_end) {
    {
        pid_file f;
        f.write(path_);
        EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
        f.rename(folder_ + "/other");
        EXPECT_EQ(content(path_), "");
        EXPECT_EQ(content(folder_ + "/other"), std::to_string(getpid()) + "\n");
    }
    EXPECT_EQ(content(folder_ + "/other"), "");
}

// After a crash the number may be that of any program by now.
TEST_F(pid_files, whose_number_was_given_again_are_overwritten) {
    put(path_, std::to_string(getppid()) + "\n");
    timespec long_ago[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), long_ago, 0), 0);
    pid_file f;
    f.write(path_);
    EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
}

TEST_F(pid_files, of_a_process_that_runs_are_not_overwritten) {
    put(path_, std::to_string(getppid()) + "\n");
    pid_file f;
    try {
        f.write(path_);
        FAIL();
    } catch (const std::runtime_error& e) {
        EXPECT_NE(std::string(e.what()).find(std::to_string(getppid())), std::string::npos);
    }
    f.remove();
    EXPECT_EQ(content(path_), std::to_string(getppid()) + "\n");
}

TEST_F(pid_files, that_were_left_over_are) {
    for (const char* text : {"", "x", "999999999\n"}) {
        put(path_, text);
        pid_file f;
        f.write(path_);
        EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
    }
}

TEST_F(pid_files, of_others_are_not_removed) {
    pid_file f;
    f.write(path_);
    put(path_, "1\n");
    f.remove();
    EXPECT_EQ(content(path_), "1\n");
}

TEST_F(pid_files, are_not_written_through_a_link) {
    const std::string other = folder_ + "/other";
    const std::string fresh = path_ + "." + std::to_string(getpid());
    put(other, "important");
    ASSERT_EQ(symlink(other.c_str(), fresh.c_str()), 0);
    pid_file f;
    f.write(path_);
    EXPECT_EQ(content(other), "important");
    EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
}

TEST_F(pid_files, are_not_written_where_another_user_leads_a_folder) {
    if (geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    const std::string theirs = folder_ + "/theirs";
    ASSERT_EQ(mkdir(theirs.c_str(), 0755), 0);
    ASSERT_EQ(symlink(folder_.c_str(), (theirs + "/run").c_str()), 0);
    ASSERT_EQ(lchown((theirs + "/run").c_str(), 65'534, 65'534), 0);
    ASSERT_EQ(chown(theirs.c_str(), 65'534, 65'534), 0);
    pid_file f;
    EXPECT_THROW(f.write(theirs + "/run/pid"), std::runtime_error);
    EXPECT_EQ(content(path_), "");
    unlink((theirs + "/run").c_str());
    rmdir(theirs.c_str());
}

TEST_F(pid_files, do_not_hang_at_a_pipe) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    pid_file f;
    f.write(path_);
    EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
}

TEST_F(pid_files, that_cannot_be_written_say_so) {
    pid_file f;
    EXPECT_THROW(f.write("/no/such/folder/pid"), std::runtime_error);
    f.write("");
    EXPECT_EQ(f.path(), "");
}

}  // namespace
}  // namespace rondo::process
