// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/slot_table.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/clock.hpp>

namespace rondo::process {

namespace {

constexpr std::size_t page = 4096;
constexpr std::uint64_t layout = 0x726f6e646f'0001;  // "rondo", then the version of slot_control and header

constexpr std::size_t in_pages(std::size_t bytes) { return (bytes + page - 1) / page * page; }

constexpr int sealed_size = F_SEAL_SHRINK | F_SEAL_GROW;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// The addresses stay reserved, so that the destructor can unmap the whole range.
void unshare(std::byte* from, const std::byte* to) {
    if (from == to) return;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(from, static_cast<std::size_t>(to - from), PROT_NONE, flags, -1, 0) == MAP_FAILED) fail("mmap");
}

}  // namespace

struct slot_table::head {
    std::uint64_t layout;
    std::uint64_t memory;
    std::atomic<std::size_t> used;
    std::atomic<std::size_t> wanted;
};

namespace {

constexpr std::size_t memories_at = page + in_pages(sizeof(slot_control) * slot_table::most_slots);

constexpr std::size_t size_of(std::size_t memory) { return memories_at + in_pages(memory) * slot_table::most_slots; }

}  // namespace

slot_table::slot_table(const std::string& group, std::size_t memory)
    : slot_table(unique_fd(memfd_create(("rondo:" + group).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)), memory, true) {}

slot_table::slot_table(unique_fd fd, std::size_t memory, bool fresh) : fd_(std::move(fd)), memory_(memory) {
    if (!fd_) fail("memfd_create");
    std::size_t size = size_of(memory);
    if (fresh && ftruncate(fd_.value(), static_cast<off_t>(size))) fail("ftruncate");
    // Reading a page that a child has truncated would kill the arbiter (SIGBUS).
    if (fresh && fcntl(fd_.value(), F_ADD_SEALS, sealed_size | F_SEAL_SEAL)) fail("F_ADD_SEALS");
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.value(), 0);
    if (at == MAP_FAILED) fail("mmap");
    base_ = static_cast<std::byte*>(at);
    if (fresh) {
        top().layout = layout;
        top().memory = memory;
    }
}

std::optional<slot_table> slot_table::adopt(unique_fd fd, std::size_t memory) {
    const int seals = fcntl(fd.value(), F_GET_SEALS);
    if (seals < 0 || (seals & sealed_size) != sealed_size) return std::nullopt;
    struct stat status{};
    if (fstat(fd.value(), &status) || static_cast<std::size_t>(status.st_size) != size_of(memory)) return std::nullopt;
    slot_table table(std::move(fd), memory, false);
    if (table.top().layout != layout || table.top().memory != memory) return std::nullopt;
    return table;
}

slot_table::slot_table(slot_table&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      memory_(other.memory_),
      taken_(other.taken_) {}

slot_table& slot_table::operator=(slot_table&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(base_, other.base_);
    std::swap(memory_, other.memory_);
    std::swap(taken_, other.taken_);
    return *this;
}

slot_table::~slot_table() {
    if (base_) munmap(base_, size_of(memory_));
}

std::size_t slot_table::used() const noexcept {
    return std::min(top().used.load(std::memory_order_relaxed), most_slots);
}

std::size_t slot_table::wanted() const noexcept {
    return std::min(top().wanted.load(std::memory_order_relaxed), most_slots);
}
void slot_table::want(std::size_t children) noexcept { top().wanted = children; }

slot_control& slot_table::control(std::size_t slot) const noexcept {
    return *reinterpret_cast<slot_control*>(base_ + page + sizeof(slot_control) * slot);
}

std::span<std::byte> slot_table::memory(std::size_t slot) const noexcept {
    return {base_ + memories_at + in_pages(memory_) * slot, memory_};
}

std::optional<std::size_t> slot_table::unused() const noexcept {
    for (std::size_t slot = 0; slot < most_slots; ++slot)
        if (!taken_[slot]) return slot;
    return std::nullopt;
}

void slot_table::take(std::size_t slot) noexcept {
    taken_[slot] = true;
    slot_control& c = control(slot);
    std::int64_t now = clock::now().time_since_epoch().count();
    c.asks = wish::none;
    c.beat_ns = now;
    c.turn_began_ns = 0;
    c.connections = 0;
    c.views_held = 0;
    c.stacks_told = c.stacks_wanted.load();
    c.started_ns = now;
    ++c.starts;
    c.at = life::starting;
    top().used = std::max(used(), slot + 1);
}

void slot_table::release(std::size_t slot) noexcept {
    taken_[slot] = false;
    slot_control& c = control(slot);
    c.at = life::none;
    c.connections = 0;
    c.views_held = 0;
    c.turn_began_ns = 0;
    c.pid = 0;
}

void slot_table::keep_only(std::size_t slot) {
    close_file();
    const std::size_t control_page = page + sizeof(slot_control) * slot / page * page;
    const std::size_t memory_at = memories_at + in_pages(memory_) * slot;
    unshare(base_, base_ + control_page);
    unshare(base_ + control_page + page, base_ + memory_at);
    unshare(base_ + memory_at + in_pages(memory_), base_ + size_of(memory_));
}

}  // namespace rondo::process
