// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <rondo/loop/loop.hpp>

namespace rondo::net {

class stream;

/// Memory of a loop that responses are written into before they are sent: what one turn produced for a connection
/// leaves in one send. It belongs to one stream at a time; a write by another stream, or the end of the turn, sends
/// what is there. So no connection owns a buffer, and with epoll always the same few cache lines are written.
class output final : event_loop::wait_hook {
public:
    /// More than what fits one block cannot be reserved at once.
    static constexpr std::size_t block_size = 64 * 1024;

    explicit output(event_loop& loop);
    ~output();
    output(const output&) = delete;
    output& operator=(const output&) = delete;

    [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
    /// Blocks there are: the one that is written to, those that the kernel works on and a few that are kept.
    [[nodiscard]] std::size_t blocks() const noexcept { return blocks_; }

private:
    friend class stream;
    struct block {
        std::uint32_t used = 0;
        std::uint32_t references = 0;  // sends that the kernel has not finished
        output* home = nullptr;
        char bytes[block_size];
    };

    /// At least `size` bytes that end at nothing else; at most block_size.
    [[nodiscard]] char* reserve(stream& s, std::size_t size);
    void commit(std::size_t size) noexcept { block_->used += static_cast<std::uint32_t>(size); }
    [[nodiscard]] std::size_t corked(const stream& s) const noexcept {
        return owner_ == &s ? block_->used - start_ : 0;
    }
    /// Sends what is corked for `s`.
    void flush(stream& s) noexcept;
    /// Forgets what is corked for `s` from the position on.
    void drop(stream& s, std::size_t keep = 0) noexcept;
    /// The owner of `s` hears of its failure before the loop waits, not within the call that failed.
    void note_failure(stream& s) noexcept;
    void forget_failure(stream& s) noexcept;
    void before_wait() noexcept override;
    void next_block();
    static void released(void* keep) noexcept;

    event_loop& loop_;
    block* block_;
    stream* owner_ = nullptr;
    std::size_t blocks_ = 1;
    std::uint32_t start_ = 0;  // where the owner's bytes begin
    std::vector<block*> unused_;
    std::vector<stream*> failed_;
};

}  // namespace rondo::net
