// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_backend.hpp>

#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::admin {

std::uint64_t resident_bytes(int pid) noexcept {
    char path[32];
    *fmt::format_to_n(path, sizeof path - 1, "/proc/{}/statm", pid).out = 0;
    const unique_fd file(open(path, O_RDONLY | O_CLOEXEC));
    char text[128];
    const ssize_t size = file ? ::read(file.value(), text, sizeof text) : -1;
    if (size <= 0) return 0;
    // Total and resident size, in pages.
    const std::string_view statm(text, static_cast<std::size_t>(size));
    const std::size_t second = statm.find(' ') + 1;
    std::uint64_t pages = 0;
    std::from_chars(statm.data() + second, statm.data() + statm.size(), pages);
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace rondo::admin
