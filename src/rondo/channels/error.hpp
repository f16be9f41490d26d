// SPDX-License-Identifier: Apache-2.0
// The error of channels and caches.
#pragma once

#include <stdexcept>

namespace rondo {

/// Thrown when the server behind channels or a cache cannot be reached, refuses, or does not reply in time. `what()`
/// names the server and the reason.
class channels_unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace rondo
