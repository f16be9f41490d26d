// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/pid_file.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

pid_t number_in(const std::string& path) {
    unique_fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char text[32] = "";
    return fd && read(fd.value(), text, sizeof text - 1) > 0 ? static_cast<pid_t>(std::strtol(text, nullptr, 10)) : 0;
}

// Whole or not at all: somebody may read it at any time.
void write_whole(const std::string& path) {
    std::string fresh = fmt::format("{}.{}", path, getpid());
    std::string text = fmt::format("{}\n", getpid());
    // Nothing that stands there is written to: it may be a link that somebody else made.
    unlink(fresh.c_str());
    unique_fd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    bool good = fd && ::write(fd.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                !std::rename(fresh.c_str(), path.c_str());
    if (good) return;
    int error = errno;
    unlink(fresh.c_str());
    throw std::runtime_error(
        fmt::format("pid: '{}' cannot be written: {}", path, std::generic_category().message(error)));
}

}  // namespace

pid_file::pid_file(pid_file&& other) noexcept : path_(std::exchange(other.path_, {})) {}

pid_file& pid_file::operator=(pid_file&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
}

pid_file pid_file::adopt(std::string path) {
    pid_file file;
    file.path_ = std::move(path);
    return file;
}

void pid_file::write(const std::string& path) {
    if (path != path_) remove();
    if (path.empty()) return;
    pid_t other = number_in(path);
    if (other > 0 && other != getpid() && (kill(other, 0) == 0 || errno == EPERM))
        throw std::runtime_error(fmt::format(
            "pid: '{}' says that process {} runs already; end it, or remove the file if it is another program", path,
            other));
    write_whole(path);
    path_ = path;
}

void pid_file::rename(const std::string& path) noexcept {
    if (!path_.empty() && !std::rename(path_.c_str(), path.c_str())) path_ = path;
}

void pid_file::remove() noexcept {
    if (!path_.empty() && number_in(path_) == getpid()) unlink(path_.c_str());
    path_.clear();
}

}  // namespace rondo::process
