// SPDX-License-Identifier: Apache-2.0
// The exception for an application that cannot start, with a text for its developer.
#pragma once

#include <stdexcept>

namespace rondo::cli {

/// Thrown when an application cannot start. Its text, which may have several lines, such as a traceback, is logged as
/// it is; the exit status is process::exit_not_started.
class start_failed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace rondo::cli
