// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log_output.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rondo::log {

namespace {

// A terminal polls writable only when it has room for this many bytes.
constexpr std::size_t terminal_chunk_size = 256;

enum class write_method : std::uint8_t {
    direct,      // a file: only the disk can block
    reopened,    // through a separate non-blocking descriptor
    socket,      // with MSG_DONTWAIT
    splice,      // a pipe of another user: through an own pipe and splice()
    poll_first,  // a terminal of another user: poll() before each write
};

// Writes to a standard descriptor without blocking.
class standard_stream_writer {
public:
    // Detects whether the descriptor refers to another file than before.
    void detect(int fd) noexcept {
        struct stat now{};
        if (fstat(fd, &now)) now = {};
        if (detected_ && now.st_dev == device_ && now.st_ino == inode_) return;
        detected_ = true;
        device_ = now.st_dev;
        inode_ = now.st_ino;
        own_fd_.reset();
        method_ = write_method::direct;
        if (S_ISSOCK(now.st_mode)) method_ = write_method::socket;
        else if (S_ISFIFO(now.st_mode))
            method_ = reopen_nonblocking(fd) ? write_method::reopened
                      : open_splice_pipe()   ? write_method::splice
                                             : write_method::poll_first;
        else if (S_ISCHR(now.st_mode) && isatty(fd))
            method_ = reopen_nonblocking(fd) ? write_method::reopened : write_method::poll_first;
    }

    ssize_t write(int fd, std::string_view part) noexcept {
        switch (method_) {
            case write_method::direct: return ::write(fd, part.data(), part.size());
            case write_method::reopened: return ::write(own_fd_.value(), part.data(), part.size());
            case write_method::socket: return ::send(fd, part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            case write_method::splice: return write_by_splice(fd, part);
            case write_method::poll_first: return write_if_writable(fd, part.substr(0, terminal_chunk_size));
        }
        return -1;
    }
    [[nodiscard]] bool is_shared() const noexcept { return method_ != write_method::direct; }

private:
    bool reopen_nonblocking(int fd) noexcept {
        char path[32];
        std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        own_fd_.reset(::open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        return static_cast<bool>(own_fd_);
    }
    bool open_splice_pipe() noexcept {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) return false;
        own_fd_.reset(ends[1]);
        pipe_reader_.reset(ends[0]);
        return true;
    }
    ssize_t write_by_splice(int fd, std::string_view part) noexcept {
        const ssize_t buffered = ::write(own_fd_.value(), part.data(), std::min<std::size_t>(part.size(), PIPE_BUF));
        if (buffered <= 0) return buffered;
        const ssize_t moved = ::splice(pipe_reader_.value(), nullptr, fd, nullptr, static_cast<std::size_t>(buffered),
                                       SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        const int error = errno;
        char discarded[PIPE_BUF];
        while (::read(pipe_reader_.value(), discarded, sizeof discarded) > 0) {
        }
        errno = error;
        return moved;
    }
    static ssize_t write_if_writable(int fd, std::string_view part) noexcept {
        pollfd poll_entry{.fd = fd, .events = POLLOUT, .revents = 0};
        if (::poll(&poll_entry, 1, 0) > 0) return ::write(fd, part.data(), part.size());
        errno = EAGAIN;
        return -1;
    }

    bool detected_ = false;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    write_method method_ = write_method::direct;
    unique_fd own_fd_;
    unique_fd pipe_reader_;
};

// One per standard descriptor of the process; a forked child inherits them. Never destroyed.
struct guarded_writer {
    std::mutex mutex;
    standard_stream_writer writer;
};
guarded_writer& standard_writer(int fd) {
    static auto& descriptors = *new std::array<guarded_writer, STDERR_FILENO + 1>;
    return descriptors[static_cast<std::size_t>(fd)];
}

// As many whole lines as a pipe accepts atomically (PIPE_BUF).
std::string_view atomic_prefix(std::string_view text) {
    if (text.size() <= PIPE_BUF) return text;
    const std::size_t end = text.substr(0, PIPE_BUF).rfind('\n');
    return text.substr(0, end == text.npos ? PIPE_BUF : end + 1);
}

ssize_t write_to_standard_stream(int fd, std::string_view text) noexcept {
    auto& [mutex, writer] = standard_writer(fd);
    const std::lock_guard lock(mutex);
    writer.detect(fd);
    return writer.write(fd, writer.is_shared() ? atomic_prefix(text) : text);
}

bool is_writable(int fd) noexcept {
    pollfd poll_entry{.fd = fd, .events = POLLOUT, .revents = 0};
    return ::poll(&poll_entry, 1, 0) > 0;
}

// False when another thread has locked the stream: it may be blocked on the reader.
bool flush_stream(std::FILE* stream) noexcept {
    if (ftrylockfile(stream) != 0) return false;
    if (__fpending(stream) > 0) {
        if (is_writable(fileno(stream))) std::fflush(stream);
        else __fpurge(stream);
    }
    funlockfile(stream);
    return true;
}

}  // namespace

output output::standard_stream(int fd) noexcept { return {unique_fd(), fd}; }

output::output(unique_fd file) noexcept : file_(std::move(file)) {
    struct stat status{};
    shared_ = fstat(file_.value(), &status) == 0 && !S_ISREG(status.st_mode);
}

output::result output::write(std::string_view& text) noexcept {
    if (!file_ && standard_fd_ < 0) return result::failed;
    while (!text.empty()) {
        const std::string_view part = shared_ ? atomic_prefix(text) : text;
        const ssize_t n =
            file_ ? ::write(file_.value(), part.data(), part.size()) : write_to_standard_stream(standard_fd_, text);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return result::would_block;
        if (n <= 0) return result::failed;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return result::written;
}

void output::wait_writable(std::chrono::milliseconds timeout) const noexcept {
    pollfd poll_entry{.fd = file_ ? file_.value() : standard_fd_, .events = POLLOUT, .revents = 0};
    ::poll(&poll_entry, 1, static_cast<int>(std::max<std::chrono::milliseconds::rep>(timeout.count(), 0)));
}

void prepare_standard_streams() noexcept {
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        auto& [mutex, writer] = standard_writer(fd);
        const std::lock_guard lock(mutex);
        writer.detect(fd);
    }
}

void flush_standard_streams() noexcept {
    const bool out = flush_stream(stdout);
    const bool error = flush_stream(stderr);
    if (out && error) std::fflush(nullptr);
}

}  // namespace rondo::log
