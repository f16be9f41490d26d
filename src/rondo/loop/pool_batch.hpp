// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rondo {

/// Pieces on their way to the blocking pool. A hop to a thread costs far more than to copy a few bytes, and whoever
/// sends a body chooses how small its pieces are: they are gathered until they are worth a hop.
class pool_batch {
public:
    static constexpr std::size_t enough = 64 * 1024;

    /// True when it is time for a hop: then hand over bytes() and clear(). Until then the piece has to hold.
    [[nodiscard]] bool add(std::string_view piece) {
        if (gathered_.empty() && piece.size() >= enough) {
            whole_ = piece;
            return true;
        }
        gathered_.append(piece);
        return gathered_.size() >= enough;
    }
    [[nodiscard]] std::string_view bytes() const noexcept { return whole_.empty() ? gathered_ : whole_; }
    [[nodiscard]] bool empty() const noexcept { return bytes().empty(); }
    void clear() noexcept {
        gathered_.clear();
        whole_ = {};
    }

private:
    std::string gathered_;
    std::string_view whole_;  // a piece that is large enough by itself is not copied
};

}  // namespace rondo
