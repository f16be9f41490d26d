// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

/// How the writers of heads append text: to memory that is large enough, returning the position after it.
namespace rondo::http::h1 {

/// Of a literal: the size is known, so this is a move or two.
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
