// SPDX-License-Identifier: Apache-2.0
// The version of Rondo.
#pragma once

namespace rondo {

/// Must match the version in CMakeLists.txt.
inline constexpr const char* version = "0.1.0";

}  // namespace rondo
