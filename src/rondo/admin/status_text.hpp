// SPDX-License-Identifier: Apache-2.0
// Renders the JSON of /status.json as tables for a terminal.
#pragma once

#include <cstddef>
#include <string>

#include <rondo/codec/json.hpp>

namespace rondo::admin {

/// Renders the JSON of /status.json in lines of at most `width` columns. `before` is an earlier status, to compute
/// rates; null if there is none.
[[nodiscard]] std::string status_text(const codec::json_value& now, const codec::json_value& before, std::size_t width);

}  // namespace rondo::admin
