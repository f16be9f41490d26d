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

constexpr std::size_t longest_complaint = 16 * 1024;
constexpr int cannot_execute = 127;

[[noreturn]] void execute(const executable& program, const std::function<void()>& prepare, int output) {
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

rehearsal::rehearsal(const executable& program, const std::function<void()>& prepare, instant until) : until_(until) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) throw std::system_error(errno, std::generic_category(), "pipe2");
    output_.reset(ends[0]);
    unique_fd writing(ends[1]);
    fcntl(output_.value(), F_SETFL, O_NONBLOCK);
    log::flush(std::chrono::milliseconds(0));
    log::flush_standard_streams();
    pid_ = fork();
    if (pid_ == 0) execute(program, prepare, writing.value());
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
}

rehearsal::~rehearsal() {
    if (pid_ > 0) kill(pid_, SIGKILL);
}

void rehearsal::read_output() {
    char part[4096];
    for (ssize_t n = 0; output_ && (n = read(output_.value(), part, sizeof part)) >= 0;) {
        if (n == 0) output_.reset();
        said_.append(part, static_cast<std::size_t>(n));
        if (said_.size() > longest_complaint) said_.erase(0, said_.size() - longest_complaint);
    }
}

void rehearsal::give_up() noexcept {
    complaint_ = "timed out (boot-timeout)";
    until_ = instant::max();
    kill(pid_, SIGKILL);
}

bool rehearsal::ended(int status) {
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    read_output();
    while (!said_.empty() && said_.back() == '\n') said_.pop_back();
    if (complaint_.empty())
        complaint_ = WIFEXITED(status) ? fmt::format("exited with status {}", WEXITSTATUS(status))
                                       : fmt::format("killed by signal {}", WTERMSIG(status));
    if (!said_.empty()) complaint_ += "\n" + said_;
    return false;
}

}  // namespace rondo::process
