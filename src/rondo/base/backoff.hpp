// SPDX-License-Identifier: Apache-2.0
// Exponential back-off between failed attempts.
#pragma once

#include <algorithm>

#include <rondo/base/clock.hpp>

namespace rondo {

/// A pause that doubles with each consecutive failure.
struct backoff {
    clock::duration first;
    clock::duration longest;

    /// The pause after `failures` consecutive failures: `first` after one, at most `longest`; zero after none.
    [[nodiscard]] constexpr clock::duration after(int failures) const noexcept {
        if (failures < 1) return {};
        return std::min(first * (1 << std::min(failures - 1, 20)), longest);
    }
};

}  // namespace rondo
