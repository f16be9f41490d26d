// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace rondo::codec {

/// The bytes of the UTF-8 sequence at the start of a text that is not empty; 0 when there is no valid one (RFC 3629: no
/// overlong form, no surrogate, nothing over U+10FFFF).
[[nodiscard]] std::size_t utf8_size(std::string_view text) noexcept;

[[nodiscard]] bool valid_utf8(std::string_view text) noexcept;

}  // namespace rondo::codec
