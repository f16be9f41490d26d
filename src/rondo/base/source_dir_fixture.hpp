// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string>

namespace rondo {

/// The root of the tree: what ctest sets RONDO_SOURCE to, else the working directory.
inline std::string source_dir() {
    const char* named = std::getenv("RONDO_SOURCE");
    return named ? named : ".";
}

}  // namespace rondo
