// SPDX-License-Identifier: Apache-2.0
// Appends text to a buffer that is large enough; used by the writers of heads.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

/// Both overloads append to memory that is large enough and return the position after the text.
namespace rondo::http::h1 {

/// Appends a literal: with its size known at compile time, this compiles to one or two moves.
template <std::size_t Size>
[[nodiscard]] char* put(char* out, const char (&text)[Size]) noexcept {
    std::memcpy(out, text, Size - 1);
    return out + (Size - 1);
}

[[nodiscard]] inline char* put(char* out, std::string_view text) noexcept {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

}  // namespace rondo::http::h1
