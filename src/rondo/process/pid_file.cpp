// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/pid_file.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
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

#include <rondo/base/parse_number.hpp>
#include <rondo/base/trusted_path.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

unique_fd open_at(const resolved_path& at, int flags) {
    return unique_fd(openat(at.directory.value(), at.name.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
}

// Returns 0 unless the file holds exactly one PID, optionally followed by a newline.
pid_t read_pid(int file) {
    std::array<char, 32> text{};
    const ssize_t size = read(file, text.data(), text.size());
    std::string_view content(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (content.ends_with('\n')) content.remove_suffix(1);
    return std::max(parse_number<pid_t>(content).value_or(0), 0);
}

// fcntl locks belong to the process: children do not inherit them, and closing any descriptor of the file releases
// them.
void lock_file(int file) noexcept {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    fcntl(file, F_SETLK, &whole);
}

// Returns the process that holds a write lock, which requires write access to the file; 0: none, -1: a process of
// another PID namespace.
pid_t lock_owner(int file) noexcept {
    struct flock found{};
    found.l_type = F_RDLCK;
    if (fcntl(file, F_GETLK, &found) || found.l_type == F_UNLCK) return 0;
    return found.l_pid > 0 ? found.l_pid : -1;
}

// Atomic: other processes may read the file at any time.
unique_fd write_atomically(const std::string& path, const resolved_path& at) {
    const int folder = at.directory.value();
    const std::string temporary = fmt::format("{}.{}", at.name, getpid());
    const std::string text = fmt::format("{}\n", getpid());
    // An existing file is not written to: it may be a link made by another user.
    unlinkat(folder, temporary.c_str(), 0);
    unique_fd fd(openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (fd) lock_file(fd.value());
    bool written = fd && ::write(fd.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                   !renameat(folder, temporary.c_str(), folder, at.name.c_str());
    if (written) return fd;
    int error = errno;
    unlinkat(folder, temporary.c_str(), 0);
    throw std::runtime_error(
        fmt::format("pid: '{}' cannot be written: {}", path, std::generic_category().message(error)));
}

// std::nullopt when the file cannot be reached.
std::optional<resolved_path> try_resolve(const std::string& path) noexcept {
    try {
        return resolve_trusted_path(path);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

struct process_stat {
    char state = 0;    ///< as in proc(5); Z: zombie
    double start = 0;  ///< seconds since the epoch
};

// std::nullopt when there is no such process.
std::optional<process_stat> read_process_stat(pid_t process) {
    unique_fd fd(open(fmt::format("/proc/{}/stat", process).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 1024> text{};
    const ssize_t size = fd ? read(fd.value(), text.data(), text.size()) : -1;
    const std::string_view line(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    // The second field, a name in parentheses, may contain anything; the start time is the 22nd.
    std::size_t at = line.rfind(')');
    const char state = at != std::string_view::npos && at + 2 < line.size() ? line[at + 2] : '\0';
    for (int field = 2; field < 22 && at != std::string_view::npos; ++field) at = line.find(' ', at + 1);
    if (at == std::string_view::npos) return std::nullopt;
    unsigned long long ticks = 0;
    if (std::from_chars(line.data() + at + 1, line.data() + line.size(), ticks).ec != std::errc{}) return std::nullopt;
    timespec now{};
    timespec up{};
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    const auto seconds = [](const timespec& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    return process_stat{
        state, seconds(now) - seconds(up) + static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK))};
}

std::string read_link(const std::string& path) {
    char text[PATH_MAX];
    const ssize_t size = readlink(path.c_str(), text, sizeof text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

// The executable of a running process may have been replaced for a reload; its link then ends with " (deleted)".
bool runs_other_program(pid_t process) {
    constexpr std::string_view deleted = " (deleted)";
    const std::string link = fmt::format("/proc/{}/exe", process);
    struct stat other{};
    struct stat own{};
    if (stat("/proc/self/exe", &own)) return false;  // /proc is not available
    if (stat(link.c_str(), &other)) return errno == ENOENT;
    if (other.st_dev == own.st_dev && other.st_ino == own.st_ino) return false;
    std::string path = read_link("/proc/self/exe");
    if (path.ends_with(deleted)) path.resize(path.size() - deleted.size());
    return read_link(link) != path.append(deleted);
}

// Whether the process with this PID wrote the file: PIDs are reused.
bool is_writer(pid_t process, int file) {
    constexpr double tolerance = 2;  // seconds between the two clocks
    if (kill(process, 0) && errno != EPERM) return false;
    const auto times = read_process_stat(process);
    if (times && (times->state == 'Z' || times->state == 'X')) return false;
    if (runs_other_program(process)) return false;
    struct stat status{};
    return !times || fstat(file, &status) || times->start <= static_cast<double>(status.st_mtim.tv_sec) + tolerance;
}

// Returns the running process that owns the file, unless it is this one; 0: none.
pid_t running_owner(const resolved_path& at) {
    const unique_fd file = open_at(at, O_RDONLY);
    if (!file) return 0;
    const pid_t number = read_pid(file.value());
    if (const pid_t holder = lock_owner(file.value())) return holder > 0 ? holder : number;
    return number > 0 && number != getpid() && is_writer(number, file.value()) ? number : 0;
}

}  // namespace

pid_file::pid_file(pid_file&& other) noexcept
    : path_(std::exchange(other.path_, {})), locked_(std::move(other.locked_)) {}

pid_file& pid_file::operator=(pid_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(locked_, other.locked_);
    return *this;
}

pid_file pid_file::adopt(std::string path) {
    pid_file file;
    file.path_ = std::move(path);
    const auto at = file.path_.empty() ? std::nullopt : try_resolve(file.path_);
    if (at) file.locked_ = open_at(*at, O_RDWR | O_NOFOLLOW);
    if (file.locked_ && read_pid(file.locked_.value()) == getpid()) lock_file(file.locked_.value());
    return file;
}

void pid_file::write(const std::string& path) {
    if (path != path_) remove();
    if (path.empty()) return;
    resolved_path at;
    try {
        at = resolve_trusted_path(path);
    } catch (const std::system_error& e) {
        throw std::runtime_error(fmt::format("pid: '{}' cannot be written: {}", path, e.what()));
    }
    if (const pid_t other = running_owner(at))
        throw std::runtime_error(fmt::format(
            "pid: '{}': process {} is already running; stop it, or remove the file if that is another program", path,
            other));
    locked_ = write_atomically(path, at);
    path_ = path;
}

void pid_file::rename(const std::string& path) noexcept {
    const auto from = try_resolve(path_);
    const auto to = try_resolve(path);
    if (from && to && !renameat(from->directory.value(), from->name.c_str(), to->directory.value(), to->name.c_str()))
        path_ = path;
}

void pid_file::remove() noexcept {
    const auto at = path_.empty() ? std::nullopt : try_resolve(path_);
    const unique_fd file = at ? open_at(*at, O_RDONLY) : unique_fd();
    if (file && read_pid(file.value()) == getpid()) unlinkat(at->directory.value(), at->name.c_str(), 0);
    disown();
}

void pid_file::disown() noexcept {
    path_.clear();
    locked_.reset();
}

}  // namespace rondo::process
