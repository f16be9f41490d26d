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

constexpr std::size_t page_size = 4096;
constexpr std::uint64_t layout_version = 0x726f6e646f'0001;  // "rondo", then the version of slot_control and header

constexpr std::size_t round_up_to_page(std::size_t bytes) { return (bytes + page_size - 1) / page_size * page_size; }

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

[[noreturn]] void throw_system_error(const char* operation) {
    throw std::system_error(errno, std::generic_category(), operation);
}

// The addresses stay reserved, so that the destructor can unmap the whole range.
void unmap_shared(std::byte* from, const std::byte* to) {
    if (from == to) return;
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(from, static_cast<std::size_t>(to - from), PROT_NONE, flags, -1, 0) == MAP_FAILED)
        throw_system_error("mmap");
}

}  // namespace

struct slot_table::header {
    std::uint64_t layout;
    std::uint64_t memory;
    std::atomic<std::size_t> high_water_mark;
    std::atomic<std::size_t> target;
};

namespace {

constexpr std::size_t memory_offset = page_size + round_up_to_page(sizeof(slot_control) * slot_table::max_slots);

constexpr std::size_t table_size(std::size_t memory) {
    return memory_offset + round_up_to_page(memory) * slot_table::max_slots;
}

}  // namespace

slot_table::slot_table(const std::string& group, std::size_t memory)
    : slot_table(unique_fd(memfd_create(("rondo:" + group).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)), memory, true) {}

slot_table::slot_table(unique_fd fd, std::size_t memory, bool is_new) : fd_(std::move(fd)), memory_(memory) {
    if (!fd_) throw_system_error("memfd_create");
    std::size_t size = table_size(memory);
    if (is_new && ftruncate(fd_.value(), static_cast<off_t>(size))) throw_system_error("ftruncate");
    // Reading a page that a child has truncated would kill the arbiter (SIGBUS).
    if (is_new && fcntl(fd_.value(), F_ADD_SEALS, size_seals | F_SEAL_SEAL)) throw_system_error("F_ADD_SEALS");
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.value(), 0);
    if (at == MAP_FAILED) throw_system_error("mmap");
    base_ = static_cast<std::byte*>(at);
    if (is_new) {
        table_header().layout = layout_version;
        table_header().memory = memory;
    }
}

std::optional<slot_table> slot_table::adopt(unique_fd fd, std::size_t memory) {
    const int seals = fcntl(fd.value(), F_GET_SEALS);
    if (seals < 0 || (seals & size_seals) != size_seals) return std::nullopt;
    struct stat status{};
    if (fstat(fd.value(), &status) || static_cast<std::size_t>(status.st_size) != table_size(memory))
        return std::nullopt;
    slot_table table(std::move(fd), memory, false);
    if (table.table_header().layout != layout_version || table.table_header().memory != memory) return std::nullopt;
    return table;
}

slot_table::slot_table(slot_table&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      memory_(other.memory_),
      in_use_(other.in_use_) {}

slot_table& slot_table::operator=(slot_table&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(base_, other.base_);
    std::swap(memory_, other.memory_);
    std::swap(in_use_, other.in_use_);
    return *this;
}

slot_table::~slot_table() {
    if (base_) munmap(base_, table_size(memory_));
}

std::size_t slot_table::high_water_mark() const noexcept {
    return std::min(table_header().high_water_mark.load(std::memory_order_relaxed), max_slots);
}

std::size_t slot_table::target() const noexcept {
    return std::min(table_header().target.load(std::memory_order_relaxed), max_slots);
}
void slot_table::set_target(std::size_t children) noexcept { table_header().target = children; }

slot_control& slot_table::control(std::size_t slot) const noexcept {
    return *reinterpret_cast<slot_control*>(base_ + page_size + sizeof(slot_control) * slot);
}

std::span<std::byte> slot_table::memory(std::size_t slot) const noexcept {
    return {base_ + memory_offset + round_up_to_page(memory_) * slot, memory_};
}

std::optional<std::size_t> slot_table::find_free() const noexcept {
    for (std::size_t slot = 0; slot < max_slots; ++slot)
        if (!in_use_[slot]) return slot;
    return std::nullopt;
}

void slot_table::acquire(std::size_t slot) noexcept {
    in_use_[slot] = true;
    slot_control& c = control(slot);
    std::int64_t now = clock::now().time_since_epoch().count();
    c.recycle_requested = recycle_reason::none;
    c.heartbeat_ns = now;
    c.turn_started_ns = 0;
    c.connections = 0;
    c.views_stalled = 0;
    c.stack_dumps_done = c.stack_dumps_requested.load();
    c.started_ns = now;
    ++c.starts;
    c.state = child_state::starting;
    table_header().high_water_mark = std::max(high_water_mark(), slot + 1);
}

void slot_table::release(std::size_t slot) noexcept {
    in_use_[slot] = false;
    slot_control& c = control(slot);
    c.state = child_state::none;
    c.connections = 0;
    c.views_stalled = 0;
    c.turn_started_ns = 0;
    c.pid = 0;
}

void slot_table::restrict_to(std::size_t slot) {
    close_file();
    const std::size_t control_page = page_size + sizeof(slot_control) * slot / page_size * page_size;
    const std::size_t memory_at = memory_offset + round_up_to_page(memory_) * slot;
    unmap_shared(base_, base_ + control_page);
    unmap_shared(base_ + control_page + page_size, base_ + memory_at);
    unmap_shared(base_ + memory_at + round_up_to_page(memory_), base_ + table_size(memory_));
}

}  // namespace rondo::process
