// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/executable.hpp>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

namespace {

std::string file_content(const char* path) {
    unique_fd fd(open(path, O_RDONLY | O_CLOEXEC));
    std::string text;
    char part[4096];
    for (ssize_t n = 0; fd && (n = read(fd.value(), part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(n));
    return text;
}

std::string current_directory() {
    struct stat current{};
    struct stat named{};
    const char* pwd = std::getenv("PWD");
    if (pwd && *pwd == '/' && !stat(".", &current) && !stat(pwd, &named) && current.st_ino == named.st_ino &&
        current.st_dev == named.st_dev)
        return pwd;
    char path[PATH_MAX];
    return getcwd(path, sizeof path) ? path : "/";
}

std::string current_executable() {
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

std::string find_in_path(const std::string& name) {
    const char* directories = std::getenv("PATH");
    for (std::string_view remaining = directories ? directories : ""; !remaining.empty();) {
        std::size_t end = remaining.find(':');
        std::string file = std::string(remaining.substr(0, end)) + "/" + name;
        if (file.starts_with('/') && !access(file.c_str(), X_OK)) return file;
        remaining = end == remaining.npos ? std::string_view() : remaining.substr(end + 1);
    }
    return {};
}

}  // namespace

executable executable::current() {
    executable e;
    e.working_directory_ = current_directory();
    std::string cmdline = file_content("/proc/self/cmdline");
    for (std::string_view remaining = cmdline; !remaining.empty();) {
        std::size_t end = remaining.find('\0');
        e.arguments_.emplace_back(remaining.substr(0, end));
        remaining = end == remaining.npos ? std::string_view() : remaining.substr(end + 1);
    }
    const std::string name = e.arguments_.empty() ? std::string() : e.arguments_.front();
    if (name.starts_with('/')) e.path_ = name;
    else if (name.find('/') != name.npos) e.path_ = e.working_directory_ + "/" + name;
    else e.path_ = find_in_path(name);
    if (e.path_.empty() || access(e.path_.c_str(), X_OK)) e.path_ = current_executable();
    return e;
}

int executable::execute(const std::string& fallback) const noexcept {
    std::vector<char*> argv;
    for (const std::string& a : arguments_) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    int error = chdir(working_directory_.c_str()) ? errno : 0;
    if (!error) {
        execv(path_.c_str(), argv.data());
        error = errno;
    }
    if (!fallback.empty() && chdir(fallback.c_str())) return errno;
    return error;
}

}  // namespace rondo::process
