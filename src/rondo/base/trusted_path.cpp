// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/trusted_path.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rondo {

namespace {

constexpr int max_links = 40;  // the limit of the kernel

[[noreturn]] void fail(int error, const std::string& message) {
    throw std::system_error(error, std::generic_category(), message);
}

bool is_controlled_by_root(const struct stat& link, int folder) {
    struct stat parent{};
    if (link.st_uid != 0 || ::fstat(folder, &parent) || parent.st_uid != 0) return false;
    return !(parent.st_mode & (S_IWGRP | S_IWOTH)) || (parent.st_mode & S_ISVTX);
}

bool is_number(std::string_view text) noexcept {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// Resolves a path component by component, each relative to the descriptor of its parent directory.
class path_resolver {
public:
    explicit path_resolver(const std::string& path) : path_(path), remaining_(path) { start(); }

    resolved_path resolve() {
        for (;;) {
            const std::string name = next_component();
            struct stat status{};
            const bool exists = ::fstatat(directory_.value(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
            if (exists && S_ISLNK(status.st_mode)) follow_link(name, status);
            else if (remaining_.empty()) return {std::move(directory_), name};
            else enter_directory(name);
        }
    }

private:
    void start() {
        directory_.reset(::open(remaining_.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory_) fail(errno, "cannot open the first directory of '" + path_ + "'");
    }

    std::string next_component() {
        remaining_.erase(0, std::min(remaining_.find_first_not_of('/'), remaining_.size()));
        std::string name = remaining_.substr(0, remaining_.find('/'));
        remaining_.erase(0, name.size());
        if (name.empty()) fail(EISDIR, "'" + path_ + "' is a directory; expected a file");
        return name;
    }

    void enter_directory(const std::string& name) {
        unique_fd next(::openat(directory_.value(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next) fail(errno, "cannot open directory '" + name + "' of '" + path_ + "'");
        directory_ = std::move(next);
    }

    void follow_link(const std::string& name, const struct stat& link) {
        char target[PATH_MAX];
        const ssize_t n = ::readlinkat(directory_.value(), name.c_str(), target, sizeof target);
        if (n <= 0 || ++link_count_ > max_links || !is_controlled_by_root(link, directory_.value()))
            fail(ELOOP, "'" + name + "' of '" + path_ +
                            "' is a symbolic link that another user may have created; root does not follow it, use the "
                            "target path");
        remaining_.insert(0, target, static_cast<std::size_t>(n));
        if (remaining_.starts_with('/')) start();
    }

    const std::string& path_;
    std::string remaining_;
    unique_fd directory_;
    int link_count_ = 0;
};

}  // namespace

bool is_system_path(const std::string& path) noexcept {
    constexpr std::array<std::string_view, 7> files = {"/dev/null",  "/dev/full",   "/dev/tty",   "/dev/console",
                                                       "/dev/stdin", "/dev/stdout", "/dev/stderr"};
    if (std::ranges::find(files, path) != files.end()) return true;
    // The descriptor itself, not a file in a directory that it refers to.
    return std::ranges::any_of(
        std::array<std::string_view, 3>{"/dev/fd/", "/proc/self/fd/", "/proc/1/fd/"}, [&path](std::string_view folder) {
            return path.starts_with(folder) && is_number(std::string_view(path).substr(folder.size()));
        });
}

resolved_path resolve_trusted_path(const std::string& path) {
    if (::geteuid() == 0 && !is_system_path(path)) return path_resolver(path).resolve();
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
    resolved_path resolved{unique_fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                           slash == path.npos ? path : path.substr(slash + 1)};
    if (!resolved.directory) fail(errno, "cannot open directory '" + folder + "'");
    if (resolved.name.empty()) fail(EISDIR, "'" + path + "' is a directory; expected a file");
    return resolved;
}

}  // namespace rondo
