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

/// The thread's file. The kernel tells of the thread that opened it: after a fork, that is another one.
struct schedstat {
    int fd = -1;
    pid_t thread = 0;
    std::int64_t last = 0;

    ~schedstat() {
        if (fd >= 0 && thread == ::gettid()) ::close(fd);
    }
    [[nodiscard]] bool open() noexcept {
        const pid_t self = ::gettid();
        if (thread != self) {
            // The descriptor of before the fork may have become another file's: it is left alone.
            thread = self;
            last = 0;
            fd = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        }
        return fd >= 0;
    }
};

thread_local constinit schedstat own{};

// "<time on a processor> <time on the run queue> <times it ran>"
std::int64_t second_number(std::string_view text) noexcept {
    text.remove_prefix(text.find(' ') == std::string_view::npos ? text.size() : text.find(' ') + 1);
    std::int64_t n = 0;
    return std::from_chars(text.data(), text.data() + text.size(), n).ec == std::errc() ? n : 0;
}

}  // namespace

std::int64_t run_delay() noexcept {
    if (!own.open()) return 0;
    std::array<char, 96> text{};
    const ssize_t size = ::pread(own.fd, text.data(), text.size(), 0);
    if (size <= 0) return own.last;
    return own.last = second_number({text.data(), static_cast<std::size_t>(size)});
}

std::int64_t last_run_delay() noexcept { return own.thread == 0 ? 0 : own.last; }

}  // namespace rondo
