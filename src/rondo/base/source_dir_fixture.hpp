// SPDX-License-Identifier: Apache-2.0
// Finds the root of the source tree for tests.
#pragma once

#include <cstdlib>
#include <string>

namespace rondo {

/// The root of the source tree: RONDO_SOURCE, which ctest sets, else the working directory.
inline std::string source_dir() {
    const char* value = std::getenv("RONDO_SOURCE");
    return value ? value : ".";
}

}  // namespace rondo
