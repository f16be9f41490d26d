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

constexpr const char* file_of_thread = "/proc/thread-self/schedstat";

struct schedstat {
    int kept = -1;
    pid_t keeper = 0;  // after a fork the descriptor still refers to the parent's thread
    std::int64_t last = 0;

    ~schedstat() {
        if (kept >= 0 && keeper == ::gettid()) ::close(kept);
    }
};

thread_local constinit schedstat own{};

// "<time on a CPU> <time on the run queue> <number of timeslices>"
std::int64_t second_number(std::string_view text) noexcept {
    text.remove_prefix(text.find(' ') == std::string_view::npos ? text.size() : text.find(' ') + 1);
    std::int64_t n = 0;
    return std::from_chars(text.data(), text.data() + text.size(), n).ec == std::errc() ? n : 0;
}

}  // namespace

void keep_run_delay_open() noexcept {
    if (own.kept >= 0 && own.keeper == ::gettid()) return;
    own.keeper = ::gettid();
    own.last = 0;
    own.kept = ::open(file_of_thread, O_RDONLY | O_CLOEXEC);
}

std::int64_t run_delay() noexcept {
    const bool is_open = own.kept >= 0 && own.keeper == ::gettid();
    const int fd = is_open ? own.kept : ::open(file_of_thread, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return own.last;
    std::array<char, 96> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    if (!is_open) ::close(fd);
    if (size > 0) own.last = second_number({text.data(), static_cast<std::size_t>(size)});
    return own.last;
}

std::int64_t last_run_delay() noexcept { return own.last; }

}  // namespace rondo
