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

enum class operation_kind : std::uint8_t { none, receive, hang_up, send, accept, poll, watch, writable, wake };

/// An operation submitted to the kernel. Outlives its owner if the completion arrives after the owner's destruction.
struct operation {
    void* owner;         // null: the result is ignored; on the free list: the next free operation
    void* buffer_owner;  // send: the owner of the buffer
    operation_kind kind;
    bool cancel_requested;         // its cancellation was submitted to the kernel
    std::uint32_t submission = 0;  // watch: the number of submissions before its own
};

/// Allocates operations in chunks: every waiting connection has one, so they are kept close together.
class operation_pool {
public:
    [[nodiscard]] operation* allocate(operation_kind type, void* owner, void* buffer_owner) {
        if (!free_list_) grow();
        operation* o = std::exchange(free_list_, static_cast<operation*>(free_list_->owner));
        *o = {owner, buffer_owner, type, false};
        return o;
    }
    void free(operation& o) noexcept {
        o = {free_list_, nullptr, operation_kind::none, false};
        free_list_ = &o;
    }
    template <class F>
    void for_each_used(F f) {
        for (auto& c : chunks_)
            for (operation& o : *c)
                if (o.kind != operation_kind::none) f(o);
    }

private:
    using chunk = std::array<operation, 128>;
    void grow() {
        chunks_.push_back(std::make_unique<chunk>());
        for (operation& o : *chunks_.back()) free(o);
    }

    std::vector<std::unique_ptr<chunk>> chunks_;
    operation* free_list_ = nullptr;
};

}  // namespace rondo::io_uring_operations
