// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/spool.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace rondo {

namespace {

[[noreturn]] void fail(const std::string& message) { throw std::system_error(errno, std::generic_category(), message); }

std::string temporary_directory() {
    const char* value = std::getenv("TMPDIR");
    return value && *value ? value : "/tmp";
}

unique_fd create_temporary_file() {
    std::string folder = temporary_directory();
    unique_fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file) return file;
    // Some file systems do not support O_TMPFILE.
    std::string name = folder + "/rondo-XXXXXX";
    file.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!file) fail("cannot create a temporary file in " + folder);
    ::unlink(name.c_str());
    return file;
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            fail("cannot write to a file");
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

spool::spool(spool&& other) noexcept
    : memory_(std::move(other.memory_)),
      file_(std::move(other.file_)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      threshold_(other.threshold_) {}

spool& spool::operator=(spool&& other) noexcept {
    if (this == &other) return *this;
    unmap();
    memory_ = std::move(other.memory_);
    file_ = std::move(other.file_);
    mapped_ = std::exchange(other.mapped_, nullptr);
    size_ = std::exchange(other.size_, 0);
    threshold_ = other.threshold_;
    return *this;
}

spool::~spool() { unmap(); }

void spool::unmap() noexcept {
    if (mapped_) ::munmap(mapped_, size_);
    mapped_ = nullptr;
}

void spool::reserve(std::uint64_t size) {
    memory_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(size, threshold_)));
}

void spool::append(std::string_view bytes) {
    if (would_block(bytes.size())) {
        if (!file_) move_to_file();
        write_all(file_.value(), bytes);
    } else {
        memory_.append(bytes);
    }
    size_ += bytes.size();
}

void spool::move_to_file() {
    unique_fd file = create_temporary_file();
    write_all(file.value(), memory_);
    file_ = std::move(file);
    memory_ = {};
}

std::string_view spool::text() {
    if (is_in_memory()) return memory_;
    if (size_ == 0) return {};
    if (!mapped_) {
        void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED | MAP_POPULATE, file_.value(), 0);
        if (memory == MAP_FAILED) fail("cannot map a temporary file");
        mapped_ = static_cast<char*>(memory);
    }
    return {mapped_, static_cast<std::size_t>(size_)};
}

void spool::save_to(const std::string& path) {
    const unique_fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644));
    if (!out) fail("cannot write " + path);
    write_all(out.value(), text());
}

}  // namespace rondo
