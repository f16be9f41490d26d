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

class PidFile : public ::testing::Test {
protected:
    PidFile() {
        char name[] = "/tmp/rondo-pid-XXXXXX";
        folder_ = mkdtemp(name);
        path_ = folder_ + "/pid";
    }
    ~PidFile() override {
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
    static void write_file(const std::string& path, const std::string& text) {
        std::FILE* f = std::fopen(path.c_str(), "w");
        std::fputs(text.c_str(), f);
        std::fclose(f);
    }

    // As if the file had been written before any running process started.
    static void backdate(const std::string& path) {
        const std::array<timespec, 2> long_ago{
            {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}}};
        ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), long_ago.data(), 0), 0);
    }
    // The error of a start with this PID file; empty on success.
    static std::string write_error(const std::string& path) {
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

// A process that calls `first` and runs until the end of the scope.
class other_process {
public:
    explicit other_process(const std::function<void()>& first = [] {}) {
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
        if (read(ends[0], &byte, 1) < 0) std::abort();  // end of file when it executed another program
        close(ends[0]);
    }
    ~other_process() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    other_process(const other_process&) = delete;
    other_process& operator=(const other_process&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] std::string pid_text() const { return std::to_string(pid_); }

private:
    pid_t pid_ = 0;
};

TEST_F(PidFile, holds_the_pid_until_it_is_destroyed) {
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

// After a crash the PID may have been reused by any program.
TEST_F(PidFile, overwrites_a_file_whose_pid_was_reused) {
    const other_process other;
    write_file(path_, other.pid_text() + "\n");
    backdate(path_);
    EXPECT_EQ(write_error(path_), "");
}

TEST_F(PidFile, overwrites_a_file_of_another_program) {
    const other_process other([] { execl("/bin/sleep", "sleep", "1000", nullptr); });
    write_file(path_, other.pid_text() + "\n");
    EXPECT_EQ(write_error(path_), "");
}

TEST_F(PidFile, overwrites_a_file_of_a_zombie) {
    const other_process other;
    write_file(path_, other.pid_text() + "\n");
    EXPECT_NE(write_error(path_), "");
    kill(other.pid(), SIGKILL);
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(other.pid()), &ended, WEXITED | WNOWAIT);
    EXPECT_EQ(write_error(path_), "");
}

// The clock was set, or the file was touched or restored.
TEST_F(PidFile, keeps_a_locked_file_whatever_its_time) {
    const other_process other([this] {
        static pid_file file;
        file.write(path_);
    });
    backdate(path_);
    EXPECT_NE(write_error(path_).find("process " + other.pid_text() + " is already running"), std::string::npos);
    EXPECT_EQ(content(path_), other.pid_text() + "\n");
    write_file(path_, "1\n");
    backdate(path_);
    EXPECT_NE(write_error(path_).find("process " + other.pid_text() + " is already running"), std::string::npos);
}

TEST_F(PidFile, is_recognised_after_a_rename_and_an_exec) {
    const std::string renamed = folder_ + "/other";
    const other_process other([this, &renamed] {
        pid_file first;
        first.write(path_);
        first.rename(renamed);
        first.disown();  // releases the lock, as exec does
        static const pid_file file = pid_file::adopt(renamed);
    });
    backdate(renamed);
    EXPECT_NE(write_error(renamed).find("is already running"), std::string::npos);
}

TEST_F(PidFile, keeps_a_file_of_a_running_process) {
    const other_process other;
    write_file(path_, other.pid_text() + "\n");
    EXPECT_NE(write_error(path_).find(other.pid_text()), std::string::npos);
    EXPECT_EQ(content(path_), other.pid_text() + "\n");
}

// Contents that are not a PID, even if a part of them is.
TEST_F(PidFile, overwrites_a_malformed_file) {
    const other_process other;
    const std::string wrapped = std::to_string((std::uint64_t{1} << 32) + static_cast<std::uint64_t>(other.pid()));
    for (const std::string& text : {std::string(), std::string("x"), std::string("999999999\n"), std::string("0\n"),
                                    std::string("-1\n"), wrapped, other.pid_text() + "x", other.pid_text() + " 1\n"}) {
        write_file(path_, text);
        EXPECT_EQ(write_error(path_), "") << text;
    }
}

TEST_F(PidFile, does_not_remove_a_file_of_another_process) {
    pid_file f;
    f.write(path_);
    write_file(path_, "1\n");
    f.remove();
    EXPECT_EQ(content(path_), "1\n");
}

TEST_F(PidFile, is_not_written_through_a_link) {
    const std::string other = folder_ + "/other";
    const std::string temporary = path_ + "." + std::to_string(getpid());
    write_file(other, "important");
    ASSERT_EQ(symlink(other.c_str(), temporary.c_str()), 0);
    pid_file f;
    f.write(path_);
    EXPECT_EQ(content(other), "important");
    EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
}

TEST_F(PidFile, is_not_written_through_a_directory_link_of_another_user) {
    if (geteuid() != 0) GTEST_SKIP() << "requires root";
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

TEST_F(PidFile, does_not_hang_on_a_fifo) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    pid_file f;
    f.write(path_);
    EXPECT_EQ(content(path_), std::to_string(getpid()) + "\n");
}

TEST_F(PidFile, throws_when_it_cannot_be_written) {
    pid_file f;
    EXPECT_THROW(f.write("/no/such/folder/pid"), std::runtime_error);
    f.write("");
    EXPECT_EQ(f.path(), "");
}

}  // namespace
}  // namespace rondo::process
