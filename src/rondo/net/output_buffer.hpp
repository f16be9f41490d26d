// SPDX-License-Identifier: Apache-2.0
// The output buffer of a loop, which batches the writes of one turn into one send per stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <rondo/loop/loop.hpp>

namespace rondo::net {

class stream;

/// The output buffer that the streams of a loop share: everything written to a stream within one turn is sent at once.
/// One stream owns it at a time; a write by another stream, or the end of the turn, flushes it. No connection needs a
/// buffer of its own, and with epoll the same few cache lines are reused.
class output_buffer final : event_loop::wait_hook {
public:
    /// Bytes of one block, the most that can be reserved at once.
    static constexpr std::size_t block_size = 64 * 1024;

    explicit output_buffer(event_loop& loop);
    ~output_buffer();
    output_buffer(const output_buffer&) = delete;
    output_buffer& operator=(const output_buffer&) = delete;

    [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
    /// Number of allocated blocks: the current one, those the kernel is sending from and a few unused ones.
    [[nodiscard]] std::size_t block_count() const noexcept { return block_count_; }

private:
    friend class stream;
    struct block {
        std::uint32_t used = 0;
        std::uint32_t references = 0;  // unfinished sends
        output_buffer* owner = nullptr;
        char bytes[block_size];
    };

    /// Returns memory for `size` bytes, at most block_size.
    [[nodiscard]] char* reserve(stream& s, std::size_t size);
    void commit(std::size_t size) noexcept { block_->used += static_cast<std::uint32_t>(size); }
    [[nodiscard]] std::size_t corked(const stream& s) const noexcept {
        return owner_ == &s ? block_->used - start_ : 0;
    }
    /// Sends what is corked for `s`.
    void flush(stream& s) noexcept;
    /// Discards what is corked for `s` after the first `keep` bytes.
    void truncate(stream& s, std::size_t keep = 0) noexcept;
    /// Schedules stream::report_failure() for the end of the turn, outside of the call that failed.
    void schedule_failure(stream& s) noexcept;
    void cancel_failure(stream& s) noexcept;
    void before_wait() noexcept override;
    void next_block();
    static void release_block(void* block_pointer) noexcept;

    event_loop& loop_;
    block* block_;
    stream* owner_ = nullptr;
    std::size_t block_count_ = 1;
    std::uint32_t start_ = 0;  // offset of the owner's first byte
    std::vector<block*> unused_;
    std::vector<stream*> failed_;
};

}  // namespace rondo::net
