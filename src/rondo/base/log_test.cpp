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

struct folder {
    folder() {
        char name[] = "/tmp/rondo-log-XXXXXX";
        path = mkdtemp(name);
    }
    ~folder() {
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

// The error log goes to a file for the length of a test.
class error_log : public testing::Test {
protected:
    error_log() { log::to(where.file("a")); }
    ~error_log() override {
        log::threshold(log::level::info);
        log::to("-");
    }
    std::string written() {
        log::flush();
        return content(where.file("a"));
    }
    folder where;
};

TEST_F(error_log, has_time_process_and_level) {
    log::warning("disk nearly full");
    std::string line = written();
    std::string pid = "[" + std::to_string(getpid()) + "]";
    ASSERT_GT(line.size(), 25u);
    EXPECT_EQ(line[10], 'T');
    EXPECT_EQ(line[23], 'Z');
    EXPECT_NE(line.find(pid + " warning disk nearly full\n"), std::string::npos) << line;
}

TEST_F(error_log, escapes_control_characters) {
    log::info(std::string("a\r\x1b[31m\0b\x7f", 11) +
              "\xc2\x9b"
              "c\xc3\xa4\td\ne");
    log::info("what is no UTF-8: \x9b[31m \xc3 \xff");
    std::string line = written();
    EXPECT_NE(line.find("no UTF-8: \\x9b[31m \\xc3 \\xff\n"), std::string::npos) << line;
    EXPECT_NE(line.find("a\\x0d\\x1b[31m\\x00b\\x7f"), std::string::npos) << line;
    EXPECT_NE(line.find("\\x9bc\xc3\xa4\\x09d\n    e\n"), std::string::npos) << line;
}

TEST_F(error_log, takes_braces_and_percent_signs_as_they_are) {
    log::info("{} {0} %s %v");
    EXPECT_NE(written().find("{} {0} %s %v\n"), std::string::npos);
}

TEST_F(error_log, drops_what_is_below_the_threshold) {
    log::debug("one");
    log::threshold(log::level::error);
    log::warning("two");
    log::error("three");
    EXPECT_FALSE(log::enabled(log::level::warning));
    EXPECT_TRUE(log::enabled(log::level::error));
    log::threshold(log::level::debug);
    log::debug("four");
    log::threshold(log::level::off);
    log::error("five");
    log::write(log::level::off, "six");
    EXPECT_FALSE(log::enabled(log::level::off));
    std::string all = written();
    EXPECT_EQ(all.find("one"), std::string::npos);
    EXPECT_EQ(all.find("two"), std::string::npos);
    EXPECT_NE(all.find("error   three\n"), std::string::npos) << all;
    EXPECT_NE(all.find("debug   four\n"), std::string::npos) << all;
    EXPECT_EQ(all.find("five"), std::string::npos);
    EXPECT_EQ(all.find("six"), std::string::npos);
}

TEST_F(error_log, is_reopened_after_a_rotation) {
    log::info("before");
    log::flush();
    log::info("still before");
    ASSERT_EQ(std::rename(where.file("a").c_str(), where.file("b").c_str()), 0);
    log::reopen();
    log::info("after");
    std::string now = written();
    EXPECT_NE(now.find("after"), std::string::npos);
    EXPECT_EQ(now.find("before"), std::string::npos);
    EXPECT_NE(content(where.file("b")).find("still before"), std::string::npos);
}

TEST_F(error_log, names_the_process) {
    log::process_name("worker 1");
    log::info("a");
    log::process_name("100%");
    log::info("b");
    log::process_name("");
    log::info("c");
    const std::string all = written();
    const std::string pid = std::to_string(getpid());
    EXPECT_NE(all.find("[" + pid + " worker 1] info    a\n"), std::string::npos) << all;
    EXPECT_NE(all.find("[" + pid + " 100%] info    b\n"), std::string::npos) << all;
    EXPECT_NE(all.find("[" + pid + "] info    c\n"), std::string::npos) << all;
}

TEST_F(error_log, as_json_lines) {
    log::format(true);
    log::process_name("worker 1");
    log::warning("a \"quote\", a \\, two\nlines, \x01 and \x7f, \xc3\xa4, \xff\xc3, \xed\xa0\x80");
    log::format(false);
    log::process_name("");
    const std::string line = written();
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

TEST_F(error_log, that_cannot_be_opened_is_an_error_and_the_old_one_stays) {
    EXPECT_THROW(log::to("/nowhere/at/all"), std::system_error);
    log::info("still here");
    EXPECT_NE(written().find("still here"), std::string::npos);
}

TEST_F(error_log, takes_lines_from_many_threads_also_while_flushed) {
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([t] {
                for (int i = 0; i < 200; ++i) log::info("line " + std::to_string(t) + "/" + std::to_string(i) + ".");
            });
        for (int i = 0; i < 20; ++i) log::flush();
    }
    std::string all = written();
    for (int t = 0; t < 4; ++t)
        for (int i = 0; i < 200; ++i) {
            std::string line = "line " + std::to_string(t) + "/" + std::to_string(i) + ".\n";
            ASSERT_NE(all.find(line), std::string::npos) << line;
        }
}

TEST_F(error_log, survives_a_full_disk) {
    log::to("/dev/full");
    for (int i = 0; i < 100; ++i) log::info("nobody will read this");
    log::flush();
    log::to(where.file("a"));
    log::info("room again");
    EXPECT_NE(written().find("room again"), std::string::npos);
}

TEST(log_level, is_parsed) {
    EXPECT_EQ(log::parse_level("debug"), log::level::debug);
    EXPECT_EQ(log::parse_level("info"), log::level::info);
    EXPECT_EQ(log::parse_level("warning"), log::level::warning);
    EXPECT_EQ(log::parse_level("error"), log::level::error);
    EXPECT_EQ(log::parse_level("off"), log::level::off);
    EXPECT_THROW((void)log::parse_level("INFO"), std::invalid_argument);
    EXPECT_THROW((void)log::parse_level(""), std::invalid_argument);
}

TEST(line_writer, writes_lines_in_order) {
    folder where;
    std::string all;
    {
        log::line_writer out(where.file("a"));
        for (int i = 0; i < 1000; ++i) {
            out.write("line " + std::to_string(i));
            all += "line " + std::to_string(i) + "\n";
        }
        out.flush();
        EXPECT_EQ(content(where.file("a")), all);
        out.write("last");  // reaches the file without a flush
    }
    EXPECT_EQ(content(where.file("a")), all + "last\n");
    log::line_writer again(where.file("a"));
    again.write("appended");
    again.flush();
    EXPECT_EQ(content(where.file("a")), all + "last\nappended\n");
    EXPECT_EQ(again.dropped(), 0u);
}

TEST(line_writer, takes_lines_of_many_threads_whole) {
    folder where;
    log::line_writer out(where.file("a"));
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&out, t] {
                for (int i = 0; i < 500; ++i) out.write(std::string(static_cast<std::size_t>(t) + 1, 'x'));
            });
        for (int i = 0; i < 10; ++i) out.reopen();
    }
    out.flush();
    std::ifstream in(where.file("a"));
    std::vector<int> counts(5);
    for (std::string line; std::getline(in, line);) ++counts.at(line.size());
    EXPECT_EQ(counts, (std::vector<int>{0, 500, 500, 500, 500}));
}

TEST(line_writer, is_reopened_after_a_rotation) {
    folder where;
    log::line_writer out(where.file("a"));
    out.write("before");
    out.flush();
    ASSERT_EQ(std::rename(where.file("a").c_str(), where.file("b").c_str()), 0);
    out.write("still before");
    out.flush();
    out.reopen();
    out.write("after");
    out.flush();
    EXPECT_EQ(content(where.file("b")), "before\nstill before\n");
    EXPECT_EQ(content(where.file("a")), "after\n");
}

TEST(line_writer, that_cannot_be_opened_is_an_error) {
    EXPECT_THROW(log::line_writer("/nowhere/at/all"), std::system_error);
    folder where;
    log::line_writer out(where.file("a"));
    std::remove(where.file("a").c_str());
    ASSERT_EQ(mkdir(where.file("a").c_str(), 0700), 0);
    EXPECT_THROW(out.reopen(), std::system_error);
    out.write("to the old file");
    out.flush();
    EXPECT_EQ(out.dropped(), 0u);
    rmdir(where.file("a").c_str());
}

TEST(line_writer, loses_lines_until_its_file_can_be_opened) {
    folder where;
    ASSERT_EQ(mkdir(where.file("a").c_str(), 0700), 0);
    log::line_writer out(where.file("a"), log::opening::optional);
    out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped(), 1u);
    EXPECT_THROW(out.reopen(), std::system_error);
    rmdir(where.file("a").c_str());
    out.reopen();
    out.write("written");
    out.flush();
    EXPECT_EQ(out.dropped(), 1u);
    EXPECT_EQ(content(where.file("a")), "written\n");
}

TEST(line_writer, counts_what_a_full_disk_lost) {
    log::line_writer out("/dev/full");
    for (int i = 0; i < 10; ++i) out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped(), 10u);
}

TEST_F(error_log, says_what_an_access_log_lost) {
    {
        log::line_writer out("/dev/full");
        for (int i = 0; i < 10; ++i) out.write("lost");
        out.flush();
        out.write("lost too, but not worth a line of its own yet");
        out.flush();
    }
    const std::string all = written();
    EXPECT_NE(all.find("10 lines of '/dev/full' were lost, 10 since the start"), std::string::npos) << all;
    EXPECT_NE(all.find("1 lines of '/dev/full' were lost, 11 since the start"), std::string::npos) << all;
}

TEST(line_writer, ends_a_line_that_a_full_disk_cut_off) {
    folder where;
    log::line_writer out(where.file("a"));
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
    EXPECT_EQ(out.dropped(), 2u);
    out.write("room again");
    out.flush();
    EXPECT_EQ(content(where.file("a")), "0123456789\nabcd\nroom again\n");
}

// A pipe that nobody reads is the slowest disk there is.
TEST(line_writer, never_waits_and_counts_what_did_not_fit_the_queue) {
    folder where;
    std::string path = where.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    constexpr unsigned long count = 40'000;
    std::string line(100, 'x');
    unsigned long lines = 0;
    {
        log::line_writer out(path);
        for (unsigned long i = 0; i < count; ++i) out.write(line);
        EXPECT_GE(out.dropped(), count - 2 * 8192 - 2000);
        EXPECT_LT(out.dropped(), count);
        unsigned long kept = count - out.dropped();
        std::string all(1 << 16, '\0');
        while (lines < kept) {
            pollfd waiting{.fd = reader.value(), .events = POLLIN, .revents = 0};
            ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
            ssize_t n = ::read(reader.value(), all.data(), all.size());
            ASSERT_GT(n, 0);
            lines += static_cast<unsigned long>(std::count(all.begin(), all.begin() + n, '\n'));
        }
        EXPECT_EQ(lines, kept);
    }
}

// A pipe that nobody reads, in the place of standard error.
class unread_standard_error {
public:
    unread_standard_error() : before_(dup(STDERR_FILENO)) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        reading.reset(ends[0]);
        fcntl(reading.value(), F_SETFL, O_NONBLOCK);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
    }
    ~unread_standard_error() { end(); }
    void end() {
        if (before_) dup2(before_.value(), STDERR_FILENO);
        before_.reset();
    }
    std::string read() const {
        std::string all;
        char part[4096];
        for (ssize_t n = 0; (n = ::read(reading.value(), part, sizeof part)) > 0;)
            all.append(part, static_cast<std::size_t>(n));
        return all;
    }
    unique_fd reading;

private:
    unique_fd before_;
};

constexpr auto no_patience = std::chrono::milliseconds(0);

TEST(standard_error, that_nobody_reads_holds_nobody_and_lost_lines_are_told) {
    for (const bool on_calling_thread : {true, false}) {
        log::flush();
        log::on_calling_thread(on_calling_thread);
        unread_standard_error pipe;
        const unsigned long before = log::lost();
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 30'000; ++i) log::info("nobody reads this " + std::to_string(i));
        log::flush();
        EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
        const unsigned long lost = log::lost() - before;
        EXPECT_GT(lost, 10'000u);
        EXPECT_EQ(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
        std::string all;
        const auto lines = [&all] { return static_cast<unsigned long>(std::count(all.begin(), all.end(), '\n')); };
        for (int i = 0; i < 100 && lines() < 30'000 - lost + 1; ++i) {
            all += pipe.read();
            log::flush();
        }
        pipe.end();
        const std::string news = std::to_string(lost) + " lines of standard error were lost";
        EXPECT_NE(all.find("warning " + news), std::string::npos)
            << all.substr(all.size() < 500 ? 0 : all.size() - 500);
        EXPECT_EQ(lines(), 30'000 - lost + 1);
    }
    log::on_calling_thread(false);
}

TEST(standard_error, gets_what_waits_as_soon_as_somebody_reads) {
    log::flush();
    log::on_calling_thread(true);
    unread_standard_error pipe;
    for (int i = 0; i < 2000; ++i) log::info("line " + std::to_string(i) + std::string(60, '.'));
    std::string all = pipe.read();
    EXPECT_EQ(all.find("line 1999"), std::string::npos);
    log::flush(no_patience);
    all += pipe.read();
    log::flush(no_patience);
    all += pipe.read();
    log::flush(no_patience);
    all += pipe.read();
    pipe.end();
    log::on_calling_thread(false);
    for (int i = 0; i < 2000; ++i) ASSERT_NE(all.find("line " + std::to_string(i) + "."), std::string::npos) << i;
}

TEST(standard_error, of_a_child_has_no_lines_of_its_parent) {
    log::flush();
    log::on_calling_thread(true);
    unread_standard_error pipe;
    for (int i = 0; i < 2000; ++i) log::info("line " + std::to_string(i) + std::string(60, '.'));
    (void)pipe.read();
    const pid_t child = fork();
    if (child == 0) {
        log::on_calling_thread(false);
        log::info("of the child");
        log::flush();
        _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const std::string all = pipe.read();
    pipe.end();
    log::on_calling_thread(false);
    EXPECT_EQ(status, 0);
    EXPECT_NE(all.find("of the child"), std::string::npos);
    EXPECT_EQ(all.find("line"), std::string::npos);
}

bool has_open(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone) == path) return true;
    }
    return false;
}

// A file that was put away would keep its place on the disk as long as one of them lives.
TEST(log_of_a_parent, is_not_open_in_its_children) {
    const folder where;
    const std::string path = where.file("log");
    log::on_calling_thread(true);
    log::to(path);
    log::info("of the parent");
    ASSERT_TRUE(has_open(path));
    for (void (*leaves)() :
         {+[] { log::process_name("child"); }, +[] { log::info("of the child"); }, +[] { log::reopen(); }}) {
        const std::string old = path + ".old";
        const pid_t child = fork();
        if (child == 0) {
            if (rename(path.c_str(), old.c_str())) _exit(2);
            leaves();
            _exit(has_open(old) ? 1 : 0);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        ASSERT_EQ(rename(old.c_str(), path.c_str()), 0);
    }
    log::to("-");
    log::on_calling_thread(false);
}

// As in a worker that has not said anything when the log was put away, and may not make another.
TEST(standard_error, gets_the_lines_of_a_log_that_cannot_be_opened) {
    folder where;
    log::to(where.file("a"));
    log::on_calling_thread(true);
    ASSERT_EQ(std::rename(where.file("a").c_str(), where.file("b").c_str()), 0);
    ASSERT_EQ(mkdir(where.file("a").c_str(), 0700), 0);
    const unsigned long lost = log::lost();
    unread_standard_error pipe;
    log::info("first");
    log::info("second");
    const std::string all = pipe.read();
    EXPECT_THROW(log::reopen(), std::system_error);
    rmdir(where.file("a").c_str());
    log::reopen();
    log::info("third");
    const std::string rest = pipe.read();
    pipe.end();
    log::to("-");
    log::on_calling_thread(false);
    EXPECT_NE(all.find("cannot open the log file '" + where.file("a") + "'"), std::string::npos) << all;
    EXPECT_NE(all.find("first\n"), std::string::npos) << all;
    EXPECT_NE(all.find("second\n"), std::string::npos) << all;
    EXPECT_EQ(rest, "");
    EXPECT_NE(content(where.file("a")).find("third\n"), std::string::npos);
    EXPECT_EQ(log::lost(), lost);
}

TEST(say, writes_a_line_and_does_not_wait_for_ever) {
    unread_standard_error pipe;
    log::say("as it is");
    EXPECT_EQ(pipe.read(), "as it is\n");
    const std::string all(1 << 20, 'x');
    const auto began = std::chrono::steady_clock::now();
    log::say(all);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
    pipe.end();
}

TEST(line_writer, gives_up_at_its_end_when_nobody_reads) {
    folder where;
    const std::string path = where.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THROW(log::line_writer{path}, std::system_error);  // nobody has it open
    const unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const auto began = std::chrono::steady_clock::now();
    {
        log::line_writer out(path);
        for (int i = 0; i < 3000; ++i) out.write(std::string(100, 'x'));
        out.flush();
        out.flush();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
}

TEST(line_writer, goes_over_to_another_file_from_one_that_nobody_reads) {
    folder where;
    const std::string path = where.file("pipe");
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
    EXPECT_EQ(out.dropped(), 0u);
}

TEST(line_writer, survives_a_pipe_that_was_closed) {
    folder where;
    std::string path = where.file("pipe");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    unique_fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    log::line_writer out(path);
    out.write("read or not");
    out.flush();
    reader.reset();
    out.write("lost");
    out.flush();
    EXPECT_EQ(out.dropped(), 1u);
}

}  // namespace
}  // namespace rondo
