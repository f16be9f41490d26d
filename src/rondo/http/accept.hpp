// SPDX-License-Identifier: Apache-2.0
// Content negotiation with Accept and similar fields (RFC 9110 section 12.5).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace rondo::http {

/// Returns the quality an Accept field gives to a media type ("text/html"), in thousandths from 0 (refused) to 1000.
/// The most specific matching range decides (RFC 9110 section 12.5.1); parameters other than q are ignored. An empty
/// field accepts everything. Skips elements with syntax errors.
[[nodiscard]] int accept_quality(std::string_view accept, std::string_view type) noexcept;

/// The same for the token lists of Accept-Encoding, Accept-Charset and Accept-Language. Returns 0 for a token that is
/// not listed, explicitly or as "*".
[[nodiscard]] int token_quality(std::string_view list, std::string_view token) noexcept;

/// Returns the index of the offer with the highest quality, the first among equals; offers.size() if all are refused.
[[nodiscard]] std::size_t best_offer(std::string_view accept, std::span<const std::string_view> offers) noexcept;

}  // namespace rondo::http
