// SPDX-License-Identifier: Apache-2.0
// Shared memory of a group of children: a control block and private memory per slot.
#pragma once

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// Lifecycle state of a child.
enum class child_state : std::uint32_t { none, starting, serving, draining };

/// Why a child requests a replacement. It is terminated only after another one is ready.
enum class recycle_reason : std::uint32_t { none, requests, memory, age };

/// State shared by a child and the arbiter. Times are nanoseconds of rondo::clock. Each field has one writer; any
/// process may read it.
struct slot_control {
    // Written by the child.
    alignas(64) std::atomic<child_state> state{child_state::none};
    std::atomic<recycle_reason> recycle_requested{recycle_reason::none};
    std::atomic<std::int64_t> heartbeat_ns{0};       ///< last heartbeat; may be in the future
    std::atomic<std::int64_t> turn_started_ns{0};    ///< start of the current loop turn; 0: the loop waits
    std::atomic<std::uint32_t> stack_dumps_done{0};  ///< value of stack_dumps_requested that was served last
    // Written by the arbiter.
    std::atomic<std::int32_t> pid{0};  ///< 0: the slot is free
    std::atomic<std::uint32_t> stack_dumps_requested{0};
    std::atomic<std::uint64_t> starts{0};  ///< number of children that used this slot
    std::atomic<std::int64_t> started_ns{0};
    // Written by the child whenever a connection opens or closes; on a separate cache line.
    alignas(64) std::atomic<std::uint32_t> connections{0};
    std::atomic<std::uint32_t> views_stalled{0};  ///< 1: all view threads have been busy for a while
};

/// The slots of a group of children, in memory that all processes share and that outlives the children and a
/// re-execution of the arbiter. Its size is sealed, so no process can truncate pages that another one reads. Untouched
/// pages cost nothing. Move-only.
class slot_table {
public:
    /// More than the maximum number of children: a child and its replacement need a slot at the same time.
    static constexpr std::size_t max_slots = 512;

    /// Creates a table with `memory` zeroed bytes per slot for the group's own use. Throws std::system_error.
    slot_table(const std::string& group, std::size_t memory);
    /// Takes over a table of an earlier image; std::nullopt when its layout differs or its size is not sealed.
    [[nodiscard]] static std::optional<slot_table> adopt(unique_fd fd, std::size_t memory);
    slot_table(slot_table&& other) noexcept;
    slot_table& operator=(slot_table&& other) noexcept;
    ~slot_table();

    [[nodiscard]] int fd() const noexcept { return fd_.value(); }
    /// One past the highest slot that was ever used.
    [[nodiscard]] std::size_t high_water_mark() const noexcept;
    /// Target number of children.
    [[nodiscard]] std::size_t target() const noexcept;
    void set_target(std::size_t children) noexcept;
    [[nodiscard]] slot_control& control(std::size_t slot) const noexcept;
    /// Page-aligned. The content is kept when a child exits.
    [[nodiscard]] std::span<std::byte> memory(std::size_t slot) const noexcept;

    /// The lowest free slot, if any. Kept in the arbiter's own memory, because children can write the shared memory.
    [[nodiscard]] std::optional<std::size_t> find_free() const noexcept;
    /// Marks a slot as used by a child of an earlier image.
    void mark_in_use(std::size_t slot) noexcept { in_use_[slot] = true; }
    /// Reserves and resets a slot for a child that is about to start; the arbiter sets its PID.
    void acquire(std::size_t slot) noexcept;
    /// Frees the slot after its child has exited.
    void release(std::size_t slot) noexcept;

    /// Called in a child: the mapping remains, but it can no longer create another one.
    void close_file() noexcept { fd_.reset(); }
    /// Called in an untrusted child: unmaps everything except control() and memory() of this slot. (Control blocks of
    /// this group that share a page with it remain mapped.) Throws std::system_error.
    void restrict_to(std::size_t slot);

private:
    struct header;
    slot_table(unique_fd fd, std::size_t memory, bool is_new);
    [[nodiscard]] header& table_header() const noexcept { return *reinterpret_cast<header*>(base_); }

    unique_fd fd_;
    std::byte* base_ = nullptr;
    std::size_t memory_ = 0;
    std::bitset<max_slots> in_use_;
};

}  // namespace rondo::process
