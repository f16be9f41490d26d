// SPDX-License-Identifier: Apache-2.0
// Applies the settings that concern the process itself: directory, umask, limits, signals and logging.
#pragma once

#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// Applies working directory, umask and log format and level, raises the file descriptor limit to the hard limit,
/// ignores SIGPIPE and logs uncaught exceptions. Opens no files. Called before anything is opened. Throws when the
/// directory cannot be entered.
void apply_process_settings(const server_settings& settings);

}  // namespace rondo::cli
