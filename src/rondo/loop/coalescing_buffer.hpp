// SPDX-License-Identifier: Apache-2.0
// Gathers small writes until they are worth a hop to the thread pool.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rondo {

/// Gathers pieces of data for the blocking pool until they are worth a hop: a hop to a thread costs far more than
/// copying a few bytes, and a client may send a body in pieces of any size.
class pool_batch {
public:
    static constexpr std::size_t flush_size = 64 * 1024;

    /// Returns true when a hop is due: then process bytes() and call clear(). `piece` must stay valid until then.
    [[nodiscard]] bool add(std::string_view piece) {
        if (gathered_.empty() && piece.size() >= flush_size) {
            large_piece_ = piece;
            return true;
        }
        gathered_.append(piece);
        return gathered_.size() >= flush_size;
    }
    [[nodiscard]] std::string_view bytes() const noexcept { return large_piece_.empty() ? gathered_ : large_piece_; }
    [[nodiscard]] bool empty() const noexcept { return bytes().empty(); }
    void clear() noexcept {
        gathered_.clear();
        large_piece_ = {};
    }

private:
    std::string gathered_;
    std::string_view large_piece_;  // a large piece, which is not copied
};

}  // namespace rondo
