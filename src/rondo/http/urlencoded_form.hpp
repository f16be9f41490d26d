// SPDX-License-Identifier: Apache-2.0
// Decodes application/x-www-form-urlencoded bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include <rondo/http/path_and_query.hpp>

namespace rondo::http {

struct form_limits {
    std::size_t pairs = 1000;
};

enum class form_error : std::uint8_t { too_many_pairs };

/// Decodes an application/x-www-form-urlencoded body (URL Standard section 5.1), keeping the order.
[[nodiscard]] std::expected<std::vector<query_pair>, form_error> parse_urlencoded(std::string_view body,
                                                                                  const form_limits& limits = {});

}  // namespace rondo::http
