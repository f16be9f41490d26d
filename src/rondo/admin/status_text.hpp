// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include <rondo/codec/json.hpp>

namespace rondo::admin {

/// What /status.json says as text for a terminal, in lines of at most `width` columns. `before`: what it said a moment
/// ago, for rates; null when nothing is known of that.
[[nodiscard]] std::string status_text(const codec::json_value& now, const codec::json_value& before, std::size_t width);

}  // namespace rondo::admin
