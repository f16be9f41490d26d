// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/config_check.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/log_output.hpp>

namespace rondo::process {

namespace {

constexpr std::size_t max_captured_output = 16 * 1024;
constexpr int cannot_execute = 127;

[[noreturn]] void execute_check(const executable& program, const std::function<void()>& prepare, int output) {
    try {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        prepare();
        int error = program.execute();
        fmt::print(stderr, "{}: {}\n", program.path(), std::generic_category().message(error));
    } catch (const std::exception& e) {
        fmt::print(stderr, "{}\n", e.what());
    }
    std::fflush(nullptr);
    _exit(cannot_execute);
}

}  // namespace

config_check::config_check(const executable& program, const std::function<void()>& prepare, instant deadline)
    : deadline_(deadline) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) throw std::system_error(errno, std::generic_category(), "pipe2");
    output_.reset(ends[0]);
    unique_fd writing(ends[1]);
    fcntl(output_.value(), F_SETFL, O_NONBLOCK);
    log::flush(std::chrono::milliseconds(0));
    log::flush_standard_streams();
    pid_ = fork();
    if (pid_ == 0) execute_check(program, prepare, writing.value());
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
}

config_check::~config_check() {
    if (pid_ > 0) kill(pid_, SIGKILL);
}

void config_check::read_output() {
    char part[4096];
    for (ssize_t n = 0; output_ && (n = read(output_.value(), part, sizeof part)) >= 0;) {
        if (n == 0) output_.reset();
        captured_output_.append(part, static_cast<std::size_t>(n));
        if (captured_output_.size() > max_captured_output)
            captured_output_.erase(0, captured_output_.size() - max_captured_output);
    }
}

void config_check::on_timeout() noexcept {
    error_message_ = "timed out (boot-timeout)";
    deadline_ = instant::max();
    kill(pid_, SIGKILL);
}

bool config_check::on_exit(int status) {
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    read_output();
    while (!captured_output_.empty() && captured_output_.back() == '\n') captured_output_.pop_back();
    if (error_message_.empty())
        error_message_ = WIFEXITED(status) ? fmt::format("exited with status {}", WEXITSTATUS(status))
                                           : fmt::format("killed by signal {}", WTERMSIG(status));
    if (!captured_output_.empty()) error_message_ += "\n" + captured_output_;
    return false;
}

}  // namespace rondo::process
