// SPDX-License-Identifier: Apache-2.0
// UTF-8 validation (RFC 3629).
#pragma once

#include <cstddef>
#include <string_view>

namespace rondo {

/// The length in bytes of the UTF-8 sequence at the start of a non-empty text; 0 when it is invalid (RFC 3629: no
/// overlong form, no surrogate, nothing above U+10FFFF).
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text) noexcept;

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace rondo
