// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rondo {

/// The version of Rondo, as CMakeLists.txt states it too.
inline constexpr const char* version = "0.1.0";

}  // namespace rondo
