// SPDX-License-Identifier: Apache-2.0
// The operations in flight of the io_uring backend.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

/// Internals of the io_uring backend.
namespace rondo::io_uring_operations {

enum class kind : std::uint8_t { none, receive, hang_up, send, accept, poll, writable, wake };

/// An operation submitted to the kernel. Outlives its owner if the completion arrives after the owner's destruction.
struct operation {
    void* owner;  // null: the result is ignored; on the free list: the next free operation
    void* keep;   // send: the owner of the buffer
    kind what;
    bool ending;  // its cancellation was submitted to the kernel
};

/// Allocates operations in chunks: every waiting connection has one, so they are kept close together.
class pool {
public:
    [[nodiscard]] operation* make(kind type, void* owner, void* buffer_owner) {
        if (!unused_) grow();
        operation* o = std::exchange(unused_, static_cast<operation*>(unused_->owner));
        *o = {owner, buffer_owner, type, false};
        return o;
    }
    void free(operation& o) noexcept {
        o = {unused_, nullptr, kind::none, false};
        unused_ = &o;
    }
    template <class F>
    void for_each_used(F f) {
        for (auto& c : chunks_)
            for (operation& o : *c)
                if (o.what != kind::none) f(o);
    }

private:
    using chunk = std::array<operation, 128>;
    void grow() {
        chunks_.push_back(std::make_unique<chunk>());
        for (operation& o : *chunks_.back()) free(o);
    }

    std::vector<std::unique_ptr<chunk>> chunks_;
    operation* unused_ = nullptr;
};

}  // namespace rondo::io_uring_operations
