// SPDX-License-Identifier: Apache-2.0
// Suggests the name that was probably meant by a misspelled one.
#pragma once

#include <span>
#include <string_view>

namespace rondo::cli {

/// The name with the smallest edit distance (letters added, omitted, changed or swapped) to `written`. Empty when more
/// than a third of the letters differ from every name.
[[nodiscard]] std::string_view spelling_suggestion(std::string_view written, std::span<const std::string_view> names);

}  // namespace rondo::cli
