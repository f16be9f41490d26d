// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// Serves until a signal ends it. Returns the exit status. Throws what hinders the start.
int serve(app& application, const settings& chosen);

}  // namespace rondo::cli
