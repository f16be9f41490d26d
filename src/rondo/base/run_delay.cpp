// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/run_delay.hpp>

#include <array>
#include <charconv>
#include <string_view>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace rondo {

namespace {

constexpr const char* schedstat_path = "/proc/thread-self/schedstat";

struct schedstat_file {
    int fd = -1;
    pid_t owner = 0;  // after a fork the descriptor still refers to the parent's thread
    std::int64_t last_delay = 0;

    ~schedstat_file() {
        if (fd >= 0 && owner == ::gettid()) ::close(fd);
    }
};

thread_local constinit schedstat_file thread_schedstat{};

// "<time on a CPU> <time on the run queue> <number of timeslices>"
std::int64_t parse_second_number(std::string_view text) noexcept {
    text.remove_prefix(text.find(' ') == std::string_view::npos ? text.size() : text.find(' ') + 1);
    std::int64_t n = 0;
    return std::from_chars(text.data(), text.data() + text.size(), n).ec == std::errc() ? n : 0;
}

}  // namespace

void keep_schedstat_open() noexcept {
    if (thread_schedstat.fd >= 0 && thread_schedstat.owner == ::gettid()) return;
    thread_schedstat.owner = ::gettid();
    thread_schedstat.last_delay = 0;
    thread_schedstat.fd = ::open(schedstat_path, O_RDONLY | O_CLOEXEC);
}

std::int64_t run_delay() noexcept {
    const bool is_open = thread_schedstat.fd >= 0 && thread_schedstat.owner == ::gettid();
    const int fd = is_open ? thread_schedstat.fd : ::open(schedstat_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return thread_schedstat.last_delay;
    std::array<char, 96> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    if (!is_open) ::close(fd);
    if (size > 0) thread_schedstat.last_delay = parse_second_number({text.data(), static_cast<std::size_t>(size)});
    return thread_schedstat.last_delay;
}

std::int64_t last_run_delay() noexcept { return thread_schedstat.last_delay; }

}  // namespace rondo
