// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace rondo::cli {

/// The name that `written` is most probably a slip of: fewest letters added, left out, changed or swapped. Empty when
/// none is near (more than a third of the letters differ).
[[nodiscard]] std::string_view nearest(std::string_view written, std::span<const std::string_view> names);

}  // namespace rondo::cli
