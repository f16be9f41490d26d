// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// `APP status`: prints what the admin listener of the running server tells, once or, with `watch`, every second until
/// it is interrupted. Throws with a sentence when no admin listener is set, or none answers.
[[nodiscard]] int print_status(const settings& chosen, bool watch);

}  // namespace rondo::cli
