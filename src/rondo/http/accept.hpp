// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace rondo::http {

/// The quality an Accept field gives to a media type ("text/html"), in thousandths: 0 is refused, 1000 the most wanted.
/// The most specific range counts (RFC 9110 section 12.5.1); parameters other than q are not compared. An empty field
/// accepts everything. Elements with syntax errors are skipped.
[[nodiscard]] int accept_quality(std::string_view accept, std::string_view type) noexcept;

/// The same for Accept-Encoding, Accept-Charset and Accept-Language lists of tokens with "*". A token that is not
/// named and not covered by "*" has 0.
[[nodiscard]] int token_quality(std::string_view list, std::string_view token) noexcept;

/// The index of the offer with the highest quality, the earlier one among equals; offers.size() when all are refused.
[[nodiscard]] std::size_t best_offer(std::string_view accept, std::span<const std::string_view> offers) noexcept;

}  // namespace rondo::http
