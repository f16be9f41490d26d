// SPDX-License-Identifier: Apache-2.0
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

/// How far a child is.
enum class life : std::uint32_t { none, starting, serving, draining };

/// What a child asks to be replaced for. Another one gets ready before it is told to end.
enum class wish : std::uint32_t { none, requests, memory, age };

/// What a child and the arbiter tell each other. Times are nanoseconds of rondo::clock. Each figure has one writer,
/// anybody reads.
struct slot_control {
    // Written by the child.
    alignas(64) std::atomic<life> at{life::none};
    std::atomic<wish> asks{wish::none};
    std::atomic<std::int64_t> beat_ns{0};        ///< its last sign of life; of the future: it was given in advance
    std::atomic<std::int64_t> turn_began_ns{0};  ///< since when its loop does one thing; 0: it waits
    std::atomic<std::uint32_t> stacks_told{0};   ///< the last stacks_wanted that was answered
    // Written by the arbiter.
    std::atomic<std::int32_t> pid{0};  ///< 0: nobody has the slot
    std::atomic<std::uint32_t> stacks_wanted{0};
    std::atomic<std::uint64_t> starts{0};  ///< children that had this slot
    std::atomic<std::int64_t> started_ns{0};
    // Written by the child whenever a connection comes or goes; a line of its own.
    alignas(64) std::atomic<std::uint32_t> connections{0};
    std::atomic<std::uint32_t> views_held{0};  ///< 1: all threads that its views run on have been busy for a while
};

/// The slots of a group of children: a piece of memory for each, which all processes share, and which outlives the
/// child and a re-execution of the arbiter. Its size is sealed: no process can take away pages that another one reads.
/// Pages that nobody touched cost nothing. Move-only.
class slot_table {
public:
    /// More than there are children: those that end have a slot beside those that replace them.
    static constexpr std::size_t most_slots = 512;

    /// Makes one with `memory` bytes per slot for the group's own use, all zero. Throws std::system_error.
    slot_table(const std::string& group, std::size_t memory);
    /// Takes over one that an earlier image of this program made; nothing when it was laid out in another way, or when
    /// its size is not sealed.
    [[nodiscard]] static std::optional<slot_table> adopt(unique_fd fd, std::size_t memory);
    slot_table(slot_table&& other) noexcept;
    slot_table& operator=(slot_table&& other) noexcept;
    ~slot_table();

    [[nodiscard]] int fd() const noexcept { return fd_.value(); }
    /// One past the highest slot that was ever used.
    [[nodiscard]] std::size_t used() const noexcept;
    /// How many children there should be.
    [[nodiscard]] std::size_t wanted() const noexcept;
    void want(std::size_t children) noexcept;
    [[nodiscard]] slot_control& control(std::size_t slot) const noexcept;
    /// Aligned to a page; what children wrote stays when they are gone.
    [[nodiscard]] std::span<std::byte> memory(std::size_t slot) const noexcept;

    /// The lowest slot that was not taken, or was released; nothing when there is none. The arbiter knows it by itself:
    /// in the shared memory children write.
    [[nodiscard]] std::optional<std::size_t> unused() const noexcept;
    /// A child of an earlier image has this slot.
    void keep_taken(std::size_t slot) noexcept { taken_[slot] = true; }
    /// Gives a slot to a child that is about to start; the arbiter sets its pid.
    void take(std::size_t slot) noexcept;
    /// Its child is gone.
    void release(std::size_t slot) noexcept;

    /// In a child: it has the mapping, and cannot make another one.
    void close_file() noexcept { fd_.reset(); }
    /// In a child that is not trusted: only control() and memory() of this slot may be used from now on, nothing else
    /// is mapped any more (controls share pages: some of other slots of this group are). Throws std::system_error.
    void keep_only(std::size_t slot);

private:
    struct head;
    slot_table(unique_fd fd, std::size_t memory, bool fresh);
    [[nodiscard]] head& top() const noexcept { return *reinterpret_cast<head*>(base_); }

    unique_fd fd_;
    std::byte* base_ = nullptr;
    std::size_t memory_ = 0;
    std::bitset<most_slots> taken_;
};

}  // namespace rondo::process
