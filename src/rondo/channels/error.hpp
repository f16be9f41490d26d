// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace rondo {

/// Thrown when the server behind channels or a cache did not do what was asked within the time allowed: it cannot be
/// reached, it refused, or it does not answer. The sentence says which server and why.
class channels_unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace rondo
