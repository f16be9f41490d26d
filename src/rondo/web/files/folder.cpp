// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/folder.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo {

namespace {

constexpr std::size_t max_name_size = 1024;
// O_NONBLOCK: opening a FIFO for reading would wait for its writer. Regular files ignore the flag.
constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

constexpr auto reopen_interval = std::chrono::milliseconds(500);

unique_fd open_folder(const std::string& path) noexcept {
    return unique_fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool is_same_file(int a, int b) noexcept {
    struct stat of_a;
    struct stat of_b;
    // If it cannot be determined, assume that nothing changed.
    if (::fstat(a, &of_a) != 0 || ::fstat(b, &of_b) != 0) return true;
    return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

int open_beneath(int folder, const char* name, std::uint64_t flags) noexcept {
    open_how how{};
    how.flags = flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a concurrent rename kept the kernel from verifying that the name stays inside.
    for (int attempt = 0; attempt < 8; ++attempt) {
        long fd = ::syscall(SYS_openat2, folder, name, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
    }
    return -1;
}

bool kernel_has_openat2(int folder) noexcept {
    // ENOSYS from old kernels, EPERM from system call filters.
    return unique_fd(open_beneath(folder, ".", O_PATH | O_CLOEXEC)).value() >= 0;
}

std::int64_t to_nanoseconds(const timespec& t) noexcept { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

/// Sets size and time of a regular file. Returns 0, or an errno if it cannot be served.
int stat_regular_file(opened_file& file) noexcept {
    struct stat status;
    if (::fstat(file.fd.value(), &status) != 0) return errno;
    if (S_ISDIR(status.st_mode)) return EISDIR;
    if (!S_ISREG(status.st_mode)) return EINVAL;
    file.size = static_cast<std::uint64_t>(status.st_size);
    file.modified_ns = to_nanoseconds(status.st_mtim);
    return 0;
}

/// Whether the name may have caused the error; all other errors are failures of the system.
bool is_not_found(int error) noexcept {
    constexpr int errors[] = {ENOENT,       ENOTDIR, EACCES, EPERM,  ELOOP, EXDEV,
                              ENAMETOOLONG, EINVAL,  ENXIO,  ENODEV, EAGAIN};
    return std::ranges::find(errors, error) != std::end(errors);
}

[[noreturn]] void throw_open_error(int error, const std::string& path) {
    throw std::system_error(error, std::generic_category(), "cannot open " + path);
}

}  // namespace

opened_file open_file(const std::string& path) {
    opened_file file;
    file.fd.reset(::open(path.c_str(), open_flags));
    const int error = file.fd ? stat_regular_file(file) : errno;
    if (error != 0) throw_open_error(error, path);
    return file;
}

folder::folder(const std::string& path, resolution method)
    : path_(path),
      absolute_path_(std::filesystem::absolute(path)),
      root_(std::make_unique<root_state>()),
      resolution_(method) {
    unique_fd fd = open_folder(path);
    if (!fd) {
        throw std::runtime_error("cannot serve files from '" + path + "': " + std::generic_category().message(errno) +
                                 "; expected a readable folder");
    }
    if (resolution_ == resolution::automatic) {
        resolution_ = kernel_has_openat2(fd.value()) ? resolution::openat2 : resolution::walk;
    }
    root_->fd = std::make_shared<const unique_fd>(std::move(fd));
}

std::shared_ptr<const unique_fd> folder::reopen_if_replaced(const unique_fd& current) const {
    unique_fd found = open_folder(absolute_path_);
    if (!found || is_same_file(found.value(), current.value())) return nullptr;
    log::info("the folder '" + path_ + "' was replaced: serving files from the new one");
    return std::make_shared<const unique_fd>(std::move(found));
}

std::shared_ptr<const unique_fd> folder::current_root() const {
    const std::scoped_lock held(root_->mutex);
    if (const instant time = clock::now(); time >= root_->next_check) {
        root_->next_check = time + reopen_interval;
        if (auto other = reopen_if_replaced(*root_->fd)) root_->fd = std::move(other);
    }
    return root_->fd;
}

bool folder::is_valid_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > max_name_size || name.back() == '/') return false;
    bool segment_start = true;
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
        if (segment_start && (c == '/' || c == '.')) return false;
        segment_start = c == '/';
    }
    return true;
}

std::expected<opened_file, folder::open_error> folder::open(std::string_view name) const {
    if (!is_valid_name(name)) return std::unexpected(open_error::not_found);
    const std::string path(name);
    const auto root = current_root();
    opened_file file;
    file.fd.reset(resolution_ == resolution::openat2 ? open_with_openat2(root->value(), path)
                                                     : open_by_walking(root->value(), path));
    const int error = file.fd ? stat_regular_file(file) : errno;
    if (error == 0) return file;
    if (error == EISDIR) return std::unexpected(open_error::is_directory);
    if (is_not_found(error)) return std::unexpected(open_error::not_found);
    throw_open_error(error, path_ + "/" + path);
}

int folder::open_with_openat2(int root, const std::string& name) noexcept {
    return open_beneath(root, name.c_str(), open_flags);
}

int folder::open_by_walking(int root, const std::string& name) noexcept {
    unique_fd inner;
    std::size_t begin = 0;
    while (true) {
        const int parent = inner ? inner.value() : root;
        const std::size_t end = name.find('/', begin);
        const std::string segment = name.substr(begin, end - begin);
        if (end == std::string::npos) return ::openat(parent, segment.c_str(), open_flags | O_NOFOLLOW);
        inner.reset(::openat(parent, segment.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!inner) return -1;
        begin = end + 1;
    }
}

}  // namespace rondo
