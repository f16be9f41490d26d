// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo {
namespace {

struct temp_dir {
    temp_dir() {
        char name[] = "/tmp/rondo-log-XXXXXX";
        path = mkdtemp(name);
    }
    ~temp_dir() {
        for (const char* f : {"a", "b", "pipe"}) std::remove(file(f).c_str());
        rmdir(path.c_str());
    }
    [[nodiscard]] std::string file(const char* name) const { return path + "/" + name; }
    std::string path;
};

std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The error log is written to a file during a test.
class ErrorLog : public testing::Test {
protected:
    ErrorLog() { log::set_file(dir_.file("a")); }
    ~ErrorLog() override {
        log::set_level(log::level::info);
        log::set_file("-");
    }
    std::string flushed_content() {
        log::flush();
        return content(dir_.file("a"));
    }
    temp_dir dir_;
};

TEST_F(ErrorLog, writes_time_process_and_level) {
    log::warning("disk nearly full");
    std::string line = flushed_content();
    std::string pid = "[" + std::to_string(getpid()) + "]";
    ASSERT_GT(line.size(), 25u);
    EXPECT_EQ(line[10], 'T');
    EXPECT_EQ(line[23], 'Z');
    EXPECT_NE(line.find(pid + " warning disk nearly full\n"), std::string::npos) << line;
}

TEST_F(ErrorLog, escapes_control_characters) {
    log::info(std::string("a\r\x1b[31m\0b\x7f", 11) +
              "\xc2\x9b"
              "c\xc3\xa4\td\ne");
    log::info("invalid UTF-8: \x9b[31m \xc3 \xff");
    std::string line = flushed_content();
    EXPECT_NE(line.find("invalid UTF-8: \\x9b[31m \\xc3 \\xff\n"), std::string::npos) << line;
    EXPECT_NE(line.find("a\\x0d\\x1b[31m\\x00b\\x7f"), std::string::npos) << line;
    EXPECT_NE(line.find("\\x9bc\xc3\xa4\\x09d\n    e\n"), std::string::npos) << line;
}

TEST_F(ErrorLog, does_not_interpret_braces_and_percent_signs) {
    log::info("{} {0} %s %v");
    EXPECT_NE(flushed_content().find("{} {0} %s %v\n"), std::string::npos);
}

TEST_F(ErrorLog, drops_lines_below_the_level) {
    log::debug("one");
    log::set_level(log::level::error);
    log::warning("two");
    log::error("three");
    EXPECT_FALSE(log::is_enabled(log::level::warning));
    EXPECT_TRUE(log::is_enabled(log::level::error));
    log::set_level(log::level::debug);
    log::debug("four");
    log::set_level(log::level::off);
    log::error("five");
    log::write(log::level::off, "six");
    EXPECT_FALSE(log::is_enabled(log::level::off));
    std::string all = flushed_content();
    EXPECT_EQ(all.find("one"), std::string::npos);
    EXPECT_EQ(all.find("two"), std::string::npos);
    EXPECT_NE(all.find("error   three\n"), std::string::npos) << all;
    EXPECT_NE(all.find("debug   four\n"), std::string::npos) << all;
    EXPECT_EQ(all.find("five"), std::string::npos);
    EXPECT_EQ(all.find("six"), std::string::npos);
}

TEST_F(ErrorLog, reopens_its_file_after_a_rotation) {
    log::info("before");
    log::flush();
    log::info("still before");
    ASSERT_EQ(std::rename(dir_.file("a").c_str(), dir_.file("b").c_str()), 0);
    log::reopen();
    log::info("after");
    std::string reopened = flushed_content();
    EXPECT_NE(reopened.find("after"), std::string::npos);
    EXPECT_EQ(reopened.find("before"), std::string::npos);
    EXPECT_NE(content(dir_.file("b")).find("still before"), std::string::npos);
}

TEST_F(ErrorLog, writes_the_process_name) {
    log::set_process_name("worker 1");
    log::info("a");
    log::set_process_name("100%");
    log::info("b");
    log::set_process_name("");
    log::info("c");
    const std::string all = flushed_content();
    const std::string pid = std::to_string(getpid());
    EXPECT_NE(all.find("[" + pid + " worker 1] info    a\n"), std::string::npos) << all;
    EXPECT_NE(all.find("[" + pid + " 100%] info    b\n"), std::string::npos) << all;
    EXPECT_NE(all.find("[" + pid + "] info    c\n"), std::string::npos) << all;
}

TEST_F(ErrorLog, writes_json_lines) {
    log::set_json(true);
    log::set_process_name("worker 1");
    log::warning("a \"quote\", a \\, two\nlines, \x01 and \x7f, \xc3\xa4, \xff\xc3, \xed\xa0\x80");
    log::set_json(false);
    log::set_process_name("");
    const std::string line = flushed_content();
    EXPECT_EQ(line.find("{\"time\":\"2"), 0u) << line;
    EXPECT_NE(line.find("\"level\":\"warning\",\"worker\":\"worker 1\",\"pid\":" + std::to_string(getpid()) + ","),
              std::string::npos)
        << line;
    EXPECT_NE(line.find(R"("message":"a \"quote\", a \\, two\nlines, \u0001 and \u007f, )"
                        "\xc3\xa4"
                        R"(, \ufffd\ufffd, \ufffd\ufffd\ufffd"})"
                        "\n"),
              std::string::npos)
        << line;
}

TEST_F(ErrorLog, keeps_the_old_file_when_the_new_one_cannot_be_opened) {
    EXPECT_THROW(log::set_file("/nowhere/at/all"), std::system_error);
    log::info("still here");
    EXPECT_NE(flushed_content().find("still here"), std::string::npos);
}

TEST_F(ErrorLog, accepts_lines_from_many_threads_while_flushed) {
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([t] {
                for (int i = 0; i < 200; ++i) log::info("line " + std::to_string(t) + "/" + std::to_string(i) + ".");
            });
        for (int i = 0; i < 20; ++i) log::flush();
    }
    std::string all = flushed_content();
    for (int t = 0; t < 4; ++t)
        for (int i = 0; i < 200; ++i) {
            std::string line = "line " + std::to_string(t) + "/" + std::to_string(i) + ".\n";
            ASSERT_NE(all.find(line), std::string::npos) << line;
        }
}

TEST_F(ErrorLog, survives_a_full_disk) {
    log::set_file("/dev/full");
    for (int i = 0; i < 100; ++i) log::info("lost");
    log::flush();
    log::set_file(dir_.file("a"));
    log::info("room again");
    EXPECT_NE(flushed_content().find("room again"), std::string::npos);
}

TEST(LineWriter, writes_lines_in_order) {
    temp_dir dir;
    std::string all;
    {
        log::line_writer out(dir.file("a"));
        for (int i = 0; i < 1000; ++i) {
            out.write("line " + std::to_string(i));
            all += "line " + std::to_string(i) + "\n";
        }
        out.flush();
        EXPECT_EQ(content(dir.file("a")), all);
        out.write("last");  // reaches the file without a flush
    }
    EXPECT_EQ(content(dir.file("a")), all + "last\n");
    log::line_writer again(dir.file("a"));
    again.write("appended");
    again.flush();
    EXPECT_EQ(content(dir.file("a")), all + "last\nappended\n");
    EXPECT_EQ(again.dropped_lines(), 0u);
}

TEST(LineWriter, does_not_mix_lines_of_many_threads) {
    temp_dir dir;
    log::line_writer out(dir.file("a"));
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&out, t] {
                for (int i = 0; i < 500; ++i) out.write(std::string(static_cast<std::size_t>(t) + 1, 'x'));
            });
        for (int i = 0; i < 10; ++i) out.reopen();
    }
    out.flush();
    std::ifstream in(dir.file("a"));
    std::vector<int> counts(5);
    for (std::string line; std::getline(in, line);) ++counts.at(line.size());
    EXPECT_EQ(counts, (std::vector<int>{0, 500, 500, 500, 500}));
}

TEST(LineWriter, reopens_its_file_after_a_rotation) {
    temp_dir dir;
    log::line_writer out(dir.file("a"));
    out.write("before");
    out.flush();
    ASSERT_EQ(std::rename(dir.file("a").c_str(), dir.file("b").c_str()), 0);
    out.write("still before");
    out.flush();
    out.reopen();
    out.write("after");
    out.flush();
    EXPECT_EQ(content(dir.file("b")), "before\nstill before\n");
    EXPECT_EQ(content(dir.file("a")), "after\n");
}

TEST(LineWriter, throws_when_the_file_cannot_be_opened) {
    EXPECT_THROW(log::line_writer("/nowhere/at/all"), std::system_error);
    temp_dir dir;
    log::line_writer out(dir.file("a"));
    std::remove(dir.file("a").c_str());
    ASSERT_EQ(mkdir(dir.file("a").c_str(), 0700), 0);
    EXPECT_THROW(out.reopen(), std::system_error);
    out.write("to the old file");
    out.flush();
    EXPECT_EQ(out.dropped_lines(), 0u);
    rmdir(dir.file("a").c_str());
}

TEST(LineWriter, drops_lines_until_its_file_can_be_opened) {
    temp_dir dir;
    ASSERT_EQ(mkdir(dir.file("a").c_str(), 0700), 0);
    log::line_writer out(dir.file("a"), log::open_policy::optional);
    out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped_lines(), 1u);
    EXPECT_THROW(out.reopen(), std::system_error);
    rmdir(dir.file("a").c_str());
    out.reopen();
    out.write("written");
    out.flush();
    EXPECT_EQ(out.dropped_lines(), 1u);
    EXPECT_EQ(content(dir.file("a")), "written\n");
}

TEST(LineWriter, counts_lines_lost_to_a_full_disk) {
    log::line_writer out("/dev/full");
    for (int i = 0; i < 10; ++i) out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped_lines(), 10u);
}

TEST_F(ErrorLog, reports_lines_lost_by_an_access_log) {
    {
        log::line_writer out("/dev/full");
        for (int i = 0; i < 10; ++i) out.write("lost");
        out.flush();
        out.write("lost too, but not reported yet");
        out.flush();
    }
    const std::string all = flushed_content();
    EXPECT_NE(all.find("10 lines of '/dev/full' were lost, 10 since the start"), std::string::npos) << all;
    EXPECT_NE(all.find("1 lines of '/dev/full' were lost, 11 since the start"), std::string::npos) << all;
}

TEST(LineWriter, terminates_a_line_that_a_full_disk_cut_off) {
    temp_dir dir;
    log::line_writer out(dir.file("a"));
    out.write("0123456789");
    out.flush();
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit full{.rlim_cur = 15, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
    out.write("abcdefghij");
    out.write("lost");
    out.flush();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_EQ(out.dropped_lines(), 2u);
    out.write("room again");
    out.flush();
    EXPECT_EQ(content(dir.file("a")), "0123456789\nabcd\nroom again\n");
}

// An unread pipe serves as an infinitely slow disk.
TEST(LineWriter, never_blocks_and_counts_lines_that_did_not_fit_into_the_queue) {
    temp_dir dir;
    std::string path = dir.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    constexpr unsigned long count = 40'000;
    std::string line(100, 'x');
    unsigned long lines = 0;
    {
        log::line_writer out(path);
        for (unsigned long i = 0; i < count; ++i) out.write(line);
        EXPECT_GE(out.dropped_lines(), count - 2 * 8192 - 2000);
        EXPECT_LT(out.dropped_lines(), count);
        unsigned long accepted = count - out.dropped_lines();
        std::string buffer(1 << 16, '\0');
        while (lines < accepted) {
            pollfd poll_entry{.fd = reader.value(), .events = POLLIN, .revents = 0};
            ASSERT_EQ(::poll(&poll_entry, 1, 10'000), 1);
            ssize_t n = ::read(reader.value(), buffer.data(), buffer.size());
            ASSERT_GT(n, 0);
            lines += static_cast<unsigned long>(std::count(buffer.begin(), buffer.begin() + n, '\n'));
        }
        EXPECT_EQ(lines, accepted);
    }
}

// Replaces standard error by an unread pipe.
class unread_standard_error {
public:
    unread_standard_error() : saved_(dup(STDERR_FILENO)) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        reader.reset(ends[0]);
        fcntl(reader.value(), F_SETFL, O_NONBLOCK);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
    }
    ~unread_standard_error() { restore(); }
    void restore() {
        if (saved_) dup2(saved_.value(), STDERR_FILENO);
        saved_.reset();
    }
    std::string read() const {
        std::string all;
        char part[4096];
        for (ssize_t n = 0; (n = ::read(reader.value(), part, sizeof part)) > 0;)
            all.append(part, static_cast<std::size_t>(n));
        return all;
    }
    unique_fd reader;

private:
    unique_fd saved_;
};

constexpr auto no_wait = std::chrono::milliseconds(0);

TEST(StandardError, does_not_block_when_unread_and_reports_lost_lines) {
    for (const bool on_calling_thread : {true, false}) {
        log::flush();
        log::set_synchronous(on_calling_thread);
        unread_standard_error pipe;
        const unsigned long before = log::lost_lines();
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 30'000; ++i) log::info("unread line number " + std::to_string(i));
        log::flush();
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
        const unsigned long lost = log::lost_lines() - before;
        EXPECT_GT(lost, 10'000u);
        EXPECT_EQ(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
        std::string all;
        const auto lines = [&all] { return static_cast<unsigned long>(std::count(all.begin(), all.end(), '\n')); };
        for (int i = 0; i < 100 && lines() < 30'000 - lost + 1; ++i) {
            all += pipe.read();
            log::flush();
        }
        pipe.restore();
        const std::string report = std::to_string(lost) + " lines of standard error were lost";
        EXPECT_NE(all.find("warning " + report), std::string::npos)
            << all.substr(all.size() < 500 ? 0 : all.size() - 500);
        EXPECT_EQ(lines(), 30'000 - lost + 1);
    }
    log::set_synchronous(false);
}

TEST(StandardError, receives_queued_lines_as_soon_as_it_is_read) {
    log::flush();
    log::set_synchronous(true);
    unread_standard_error pipe;
    for (int i = 0; i < 2000; ++i) log::info("line " + std::to_string(i) + std::string(60, '.'));
    std::string all = pipe.read();
    EXPECT_EQ(all.find("line 1999"), std::string::npos);
    log::flush(no_wait);
    all += pipe.read();
    log::flush(no_wait);
    all += pipe.read();
    log::flush(no_wait);
    all += pipe.read();
    pipe.restore();
    log::set_synchronous(false);
    for (int i = 0; i < 2000; ++i) ASSERT_NE(all.find("line " + std::to_string(i) + "."), std::string::npos) << i;
}

TEST(StandardError, receives_no_queued_lines_of_the_parent_from_a_child) {
    log::flush();
    log::set_synchronous(true);
    unread_standard_error pipe;
    for (int i = 0; i < 2000; ++i) log::info("line " + std::to_string(i) + std::string(60, '.'));
    (void)pipe.read();
    const pid_t child = fork();
    if (child == 0) {
        log::set_synchronous(false);
        log::info("of the child");
        log::flush();
        _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const std::string all = pipe.read();
    pipe.restore();
    log::set_synchronous(false);
    EXPECT_EQ(status, 0);
    EXPECT_NE(all.find("of the child"), std::string::npos);
    EXPECT_EQ(all.find("line"), std::string::npos);
}

bool has_open_file(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        if (std::filesystem::read_symlink(entry.path(), ignored) == path) return true;
    }
    return false;
}

// A rotated file would use disk space until the last of the children exits.
TEST(ParentLog, is_not_open_in_children) {
    const temp_dir dir;
    const std::string path = dir.file("log");
    log::set_synchronous(true);
    log::set_file(path);
    log::info("of the parent");
    ASSERT_TRUE(has_open_file(path));
    for (void (*closes_log)() :
         {+[] { log::set_process_name("child"); }, +[] { log::info("of the child"); }, +[] { log::reopen(); }}) {
        const std::string old = path + ".old";
        const pid_t child = fork();
        if (child == 0) {
            if (rename(path.c_str(), old.c_str())) _exit(2);
            closes_log();
            _exit(has_open_file(old) ? 1 : 0);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        ASSERT_EQ(rename(old.c_str(), path.c_str()), 0);
    }
    log::set_file("-");
    log::set_synchronous(false);
}

// As in a worker that logs for the first time after a rotation, and may not create the file.
TEST(StandardError, receives_the_lines_of_a_log_that_cannot_be_opened) {
    temp_dir dir;
    log::set_file(dir.file("a"));
    log::set_synchronous(true);
    ASSERT_EQ(std::rename(dir.file("a").c_str(), dir.file("b").c_str()), 0);
    ASSERT_EQ(mkdir(dir.file("a").c_str(), 0700), 0);
    const unsigned long lost = log::lost_lines();
    unread_standard_error pipe;
    log::info("first");
    log::info("second");
    const std::string all = pipe.read();
    EXPECT_THROW(log::reopen(), std::system_error);
    rmdir(dir.file("a").c_str());
    log::reopen();
    log::info("third");
    const std::string after_reopen = pipe.read();
    pipe.restore();
    log::set_file("-");
    log::set_synchronous(false);
    EXPECT_NE(all.find("cannot open the log file '" + dir.file("a") + "'"), std::string::npos) << all;
    EXPECT_NE(all.find("first\n"), std::string::npos) << all;
    EXPECT_NE(all.find("second\n"), std::string::npos) << all;
    EXPECT_EQ(after_reopen, "");
    EXPECT_NE(content(dir.file("a")).find("third\n"), std::string::npos);
    EXPECT_EQ(log::lost_lines(), lost);
}

TEST(PrintToStandardError, writes_a_line_and_does_not_block_forever) {
    unread_standard_error pipe;
    log::print_to_standard_error("as it is");
    EXPECT_EQ(pipe.read(), "as it is\n");
    const std::string long_line(1 << 20, 'x');
    const auto start = std::chrono::steady_clock::now();
    log::print_to_standard_error(long_line);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    pipe.restore();
}

TEST(LineWriter, gives_up_in_the_destructor_when_the_output_is_unread) {
    temp_dir dir;
    const std::string path = dir.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THROW(log::line_writer{path}, std::system_error);  // no reader
    const unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const auto start = std::chrono::steady_clock::now();
    {
        log::line_writer out(path);
        for (int i = 0; i < 3000; ++i) out.write(std::string(100, 'x'));
        out.flush();
        out.flush();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST(LineWriter, switches_from_an_unread_pipe_to_another_file) {
    temp_dir dir;
    const std::string path = dir.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    const unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    log::line_writer out(path);
    for (int i = 0; i < 1500; ++i) out.write(std::string(100, 'x'));
    ASSERT_EQ(std::remove(path.c_str()), 0);
    out.reopen();
    out.write("last");
    out.flush();
    const std::string all = content(path);
    EXPECT_TRUE(all.ends_with("x\nlast\n"));
    EXPECT_EQ(out.dropped_lines(), 0u);
}

TEST(LineWriter, survives_a_closed_pipe) {
    temp_dir dir;
    std::string path = dir.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    log::line_writer out(path);
    out.write("read or not");
    out.flush();
    reader.reset();
    out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped_lines(), 1u);
}

}  // namespace
}  // namespace rondo
