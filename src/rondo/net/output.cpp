// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/output.hpp>

#include <new>
#include <utility>

#include <rondo/net/stream.hpp>

namespace rondo::net {

namespace {
constexpr std::size_t blocks_kept = 4;
}

output::output(event_loop& loop) : loop_(loop), block_(new block) {
    block_->home = this;
    loop_.io().released = &output::released;
    loop_.add(*this);
}

output::~output() {
    // Pending sends of closed connections still reference their blocks; release_block() frees those.
    if (block_->references == 0) delete block_;
    else block_->home = nullptr;
    for (block* b : unused_) delete b;
}

char* output::reserve(stream& s, std::size_t size) {
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

void output::next_block() {
    if (block_->references == 0) {  // all its sends have finished
        block_->used = 0;
        return;
    }
    if (unused_.empty()) {
        unused_.reserve(blocks_kept);
        block_ = new block;
        block_->home = this;
        ++blocks_;
        return;
    }
    block_ = unused_.back();
    unused_.pop_back();
}

void output::flush(stream& s) noexcept {
    if (owner_ != &s) return;
    owner_ = nullptr;
    std::uint32_t size = block_->used - start_;
    if (size == 0) return;
    if (s.push(block_->bytes + start_, size, block_)) ++block_->references;
    else block_->used = start_;
}

void output::drop(stream& s, std::size_t keep) noexcept {
    if (owner_ != &s) return;
    block_->used = start_ + static_cast<std::uint32_t>(keep);
    if (keep == 0) owner_ = nullptr;
}

void output::note_failure(stream& s) noexcept {
    if (s.unreported_) return;
    try {
        failed_.push_back(&s);
        s.unreported_ = true;
    } catch (const std::bad_alloc&) {
        // The owner notices the failure at its next write.
    }
}

void output::forget_failure(stream& s) noexcept {
    if (!s.unreported_) return;
    s.unreported_ = false;
    std::erase(failed_, &s);
}

void output::before_wait() noexcept {
    if (owner_) flush(*owner_);
    while (!failed_.empty()) {
        stream& s = *failed_.back();
        failed_.pop_back();
        s.unreported_ = false;
        s.report_failure();
    }
}

void output::released(void* block_pointer) noexcept {
    auto* b = static_cast<block*>(block_pointer);
    if (--b->references != 0) return;
    output* home = b->home;
    if (home && b == home->block_) {
        if (!home->owner_) b->used = 0;
        return;
    }
    b->used = 0;
    if (home && home->unused_.size() < blocks_kept) return home->unused_.push_back(b);
    if (home) --home->blocks_;
    delete b;
}

}  // namespace rondo::net
