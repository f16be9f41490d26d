// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/pid_file.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rondo/base/trusted_path.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

pid_t number_in(const file_place& at) {
    unique_fd fd(openat(at.folder.value(), at.name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    char text[32] = "";
    return fd && read(fd.value(), text, sizeof text - 1) > 0 ? static_cast<pid_t>(std::strtol(text, nullptr, 10)) : 0;
}

// Whole or not at all: somebody may read it at any time.
void write_whole(const std::string& path, const file_place& at) {
    const int folder = at.folder.value();
    const std::string fresh = fmt::format("{}.{}", at.name, getpid());
    const std::string text = fmt::format("{}\n", getpid());
    // Nothing that stands there is written to: it may be a link that somebody else made.
    unlinkat(folder, fresh.c_str(), 0);
    unique_fd fd(openat(folder, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    bool good = fd && ::write(fd.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                !renameat(folder, fresh.c_str(), folder, at.name.c_str());
    if (good) return;
    int error = errno;
    unlinkat(folder, fresh.c_str(), 0);
    throw std::runtime_error(
        fmt::format("pid: '{}' cannot be written: {}", path, std::generic_category().message(error)));
}

// Of a file that is there.
std::optional<file_place> place_of(const std::string& path) noexcept {
    try {
        return place_of_file(path);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

// Seconds since the epoch; nothing when there is no such process.
std::optional<double> start_of(pid_t process) {
    unique_fd fd(open(fmt::format("/proc/{}/stat", process).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 1024> text{};
    const ssize_t size = fd ? read(fd.value(), text.data(), text.size()) : -1;
    const std::string_view all(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    // The second field, a name in parentheses, may hold anything; the start is the 22nd.
    std::size_t at = all.rfind(')');
    for (int field = 2; field < 22 && at != std::string_view::npos; ++field) at = all.find(' ', at + 1);
    if (at == std::string_view::npos) return std::nullopt;
    unsigned long long ticks = 0;
    if (std::from_chars(all.data() + at + 1, all.data() + all.size(), ticks).ec != std::errc{}) return std::nullopt;
    timespec now{};
    timespec up{};
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    const auto seconds = [](const timespec& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    return seconds(now) - seconds(up) + static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// True when the process has begun after the file was written: it got a number that was free again.
bool is_recycled(pid_t process, const file_place& at) {
    constexpr double doubt = 2;  // seconds, of two clocks
    struct stat status{};
    const auto start = start_of(process);
    return start && !fstatat(at.folder.value(), at.name.c_str(), &status, 0) &&
           *start > static_cast<double>(status.st_mtim.tv_sec) + doubt;
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
    file_place at;
    try {
        at = place_of_file(path);
    } catch (const std::system_error& e) {
        throw std::runtime_error(fmt::format("pid: '{}' cannot be written: {}", path, e.what()));
    }
    pid_t other = number_in(at);
    if (other > 0 && other != getpid() && (kill(other, 0) == 0 || errno == EPERM) && !is_recycled(other, at))
        throw std::runtime_error(fmt::format(
            "pid: '{}' says that process {} runs already; end it, or remove the file if it is another program", path,
            other));
    write_whole(path, at);
    path_ = path;
}

void pid_file::rename(const std::string& path) noexcept {
    const auto from = place_of(path_);
    const auto to = place_of(path);
    if (from && to && !renameat(from->folder.value(), from->name.c_str(), to->folder.value(), to->name.c_str()))
        path_ = path;
}

void pid_file::remove() noexcept {
    const auto at = path_.empty() ? std::nullopt : place_of(path_);
    if (at && number_in(*at) == getpid()) unlinkat(at->folder.value(), at->name.c_str(), 0);
    path_.clear();
}

}  // namespace rondo::process
