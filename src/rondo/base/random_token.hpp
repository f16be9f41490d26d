// SPDX-License-Identifier: Apache-2.0
// Random text for names and tokens that no other process can guess.
#pragma once

#include <string>

namespace rondo {

/// 32 random hexadecimal digits, from getrandom(2). Throws std::system_error.
[[nodiscard]] std::string random_token();

}  // namespace rondo
