// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

/// Inner parts of the io_uring backend.
namespace rondo::io_uring_operations {

enum class kind : std::uint8_t { none, receive, hang_up, send, accept, poll, writable, wake };

/// What the kernel works on. It outlives its owner: the completion may come after the owner is gone.
struct operation {
    void* owner;  // null: nobody wants to know any more; of an unused one: the next unused
    void* keep;   // send: what keeps the bytes alive
    kind what;
    bool ending;  // the kernel was asked to cancel it
};

/// Every waiting connection has an operation, so they lie close together and cost no allocation each.
class pool {
public:
    [[nodiscard]] operation* make(kind what, void* owner, void* keep) {
        if (!unused_) grow();
        operation* o = std::exchange(unused_, static_cast<operation*>(unused_->owner));
        *o = {owner, keep, what, false};
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
