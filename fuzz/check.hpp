// SPDX-License-Identifier: Apache-2.0
// Checks and input splitting shared by the fuzz targets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rondo::fuzz {

/// Traps, which stops the fuzzer, when an invariant is violated.
inline void check(bool invariant) {
    if (!invariant) __builtin_trap();
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Returns true when `part` is a view into `whole`, or empty.
inline bool is_inside(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// Splits a text into pieces whose sizes depend on `seed`, so that the fuzz input determines the split.
class cutter {
public:
    cutter(std::string_view text, std::uint32_t seed) : rest_(text), state_(seed | 1) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }

    [[nodiscard]] std::string_view next() {
        state_ = state_ * 1664525 + 1013904223;
        const std::size_t max_size = (state_ >> 30) == 0 ? 200 : 5;
        const std::size_t size = std::min<std::size_t>(rest_.size(), 1 + (state_ >> 16) % max_size);
        const std::string_view piece = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return piece;
    }

private:
    std::string_view rest_;
    std::uint32_t state_;
};

}  // namespace rondo::fuzz
