// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/output_buffer.hpp>

#include <new>
#include <utility>

#include <rondo/net/stream.hpp>

namespace rondo::net {

namespace {
constexpr std::size_t max_unused_blocks = 4;
}

output_buffer::output_buffer(event_loop& loop) : loop_(loop), block_(new block) {
    block_->owner = this;
    loop_.io().on_released = &output_buffer::release_block;
    loop_.add(*this);
}

output_buffer::~output_buffer() {
    // Pending sends of closed connections still reference their blocks; release_block() frees those.
    if (block_->references == 0) delete block_;
    else block_->owner = nullptr;
    for (block* b : unused_) delete b;
}

char* output_buffer::reserve(stream& s, std::size_t size) {
    if (owner_ != &s) {
        if (owner_) flush(*owner_);
        owner_ = &s;
        start_ = block_->used;
    }
    if (block_->used + size > block_size) {
        flush(s);
        if (block_->used + size > block_size) next_block();
        owner_ = &s;
        start_ = block_->used;
    }
    return block_->bytes + block_->used;
}

void output_buffer::next_block() {
    if (block_->references == 0) {  // all its sends have finished
        block_->used = 0;
        return;
    }
    if (unused_.empty()) {
        unused_.reserve(max_unused_blocks);
        block_ = new block;
        block_->owner = this;
        ++block_count_;
        return;
    }
    block_ = unused_.back();
    unused_.pop_back();
}

void output_buffer::flush(stream& s) noexcept {
    if (owner_ != &s) return;
    owner_ = nullptr;
    std::uint32_t size = block_->used - start_;
    if (size == 0) return;
    if (s.send_or_queue(block_->bytes + start_, size, block_)) ++block_->references;
    else block_->used = start_;
}

void output_buffer::truncate(stream& s, std::size_t keep) noexcept {
    if (owner_ != &s) return;
    block_->used = start_ + static_cast<std::uint32_t>(keep);
    if (keep == 0) owner_ = nullptr;
}

void output_buffer::schedule_failure(stream& s) noexcept {
    if (s.failure_pending_) return;
    try {
        failed_.push_back(&s);
        s.failure_pending_ = true;
    } catch (const std::bad_alloc&) {
        // The owner notices the failure at its next write.
    }
}

void output_buffer::cancel_failure(stream& s) noexcept {
    if (!s.failure_pending_) return;
    s.failure_pending_ = false;
    std::erase(failed_, &s);
}

void output_buffer::before_wait() noexcept {
    if (owner_) flush(*owner_);
    while (!failed_.empty()) {
        stream& s = *failed_.back();
        failed_.pop_back();
        s.failure_pending_ = false;
        s.report_failure();
    }
}

void output_buffer::release_block(void* block_pointer) noexcept {
    auto* b = static_cast<block*>(block_pointer);
    if (--b->references != 0) return;
    output_buffer* owner = b->owner;
    if (owner && b == owner->block_) {
        if (!owner->owner_) b->used = 0;
        return;
    }
    b->used = 0;
    if (owner && owner->unused_.size() < max_unused_blocks) return owner->unused_.push_back(b);
    if (owner) --owner->block_count_;
    delete b;
}

}  // namespace rondo::net
