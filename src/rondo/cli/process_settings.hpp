// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// Makes this process what the settings want, before anything is opened: its folder and umask, as many descriptors as
/// are allowed, no death by a closed pipe; where and how it logs is told, but no file is opened. Throws when the folder
/// cannot be entered.
void settle_in(const settings& chosen);

}  // namespace rondo::cli
