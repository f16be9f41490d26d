// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/pid_file.hpp>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

    // As if the file had been written before any process that runs began.
    static void make_old(const std::string& path) {
        const std::array<timespec, 2> long_ago{
            {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}}};
        ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), long_ago.data(), 0), 0);
    }
    // Whether a start with this pid file is refused, and with which sentence.
    static std::string refusal(const std::string& path) {
        pid_file f;
        try {
            f.write(path);
        } catch (const std::runtime_error& e) {
            return e.what();
        }
        EXPECT_EQ(content(path), std::to_string(getpid()) + "\n");
        return {};
    }

    std::string folder_, path_;
};

// A process that begins with `first` and stays until the end of the scope.
class process_of {
public:
    explicit process_of(const std::function<void()>& first = [] {}) {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC)) std::abort();
        pid_ = fork();
        if (pid_ == 0) {
            first();
            if (::write(ends[1], "", 1) != 1) _exit(1);
            for (;;) pause();
        }
        close(ends[1]);
        char byte = 0;
        if (read(ends[0], &byte, 1) < 0) std::abort();  // nothing when it executed another program
        close(ends[0]);
    }
    ~process_of() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    process_of(const process_of&) = delete;
    process_of& operator=(const process_of&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] std::string number() const { return std::to_string(pid_); }

private:
    pid_t pid_ = 0;
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
    const process_of other;
    put(path_, other.number() + "\n");
    make_old(path_);
    EXPECT_EQ(refusal(path_), "");
}

TEST_F(pid_files, of_another_program_are_overwritten) {
    const process_of other([] { execl("/bin/sleep", "sleep", "1000", nullptr); });
    put(path_, other.number() + "\n");
    EXPECT_EQ(refusal(path_), "");
}

TEST_F(pid_files, of_a_process_that_was_not_waited_for_are_overwritten) {
    const process_of other;
    put(path_, other.number() + "\n");
    EXPECT_NE(refusal(path_), "");
    kill(other.pid(), SIGKILL);
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(other.pid()), &ended, WEXITED | WNOWAIT);
    EXPECT_EQ(refusal(path_), "");
}

// The clock was set, or the file was touched or put back.
TEST_F(pid_files, of_a_server_that_runs_are_kept_whatever_their_time_is) {
    const process_of other([this] {
        static pid_file file;
        file.write(path_);
    });
    make_old(path_);
    EXPECT_NE(refusal(path_).find("process " + other.number() + " runs already"), std::string::npos);
    EXPECT_EQ(content(path_), other.number() + "\n");
    put(path_, "1\n");
    make_old(path_);
    EXPECT_NE(refusal(path_).find("process " + other.number() + " runs already"), std::string::npos);
}

TEST_F(pid_files, are_recognised_under_another_name_and_by_another_image) {
    const std::string renamed = folder_ + "/other";
    const process_of other([this, &renamed] {
        pid_file first;
        first.write(path_);
        first.rename(renamed);
        first.disown();  // as to execute a program does, its lock ends
        static const pid_file file = pid_file::adopt(renamed);
    });
    make_old(renamed);
    EXPECT_NE(refusal(renamed).find("runs already"), std::string::npos);
}

TEST_F(pid_files, of_a_process_that_runs_are_not_overwritten) {
    const process_of other;
    put(path_, other.number() + "\n");
    EXPECT_NE(refusal(path_).find(other.number()), std::string::npos);
    EXPECT_EQ(content(path_), other.number() + "\n");
}

// Numbers that cannot be one of a process, also when a part of them is.

TEST_F(pid_files, that_were_left_over_are) {
    const process_of other;
    const std::string wrapped = std::to_string((std::uint64_t{1} << 32) + static_cast<std::uint64_t>(other.pid()));
    for (const std::string& text : {std::string(), std::string("x"), std::string("999999999\n"), std::string("0\n"),
                                    std::string("-1\n"), wrapped, other.number() + "x", other.number() + " 1\n"}) {
        put(path_, text);
        EXPECT_EQ(refusal(path_), "") << text;
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
