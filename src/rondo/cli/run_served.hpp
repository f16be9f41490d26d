// SPDX-License-Identifier: Apache-2.0
// Runs anything that the command line can serve: the function behind rondo::run().
#pragma once

namespace rondo::cli {

class served;

/// Like rondo::run(), for any application. `serve`, `routes` and `check` require its positional argument, if it has
/// one; a first word that is no command is that argument. Flags may precede both. Returns 3 after start_failed, too.
int run(served& application, int argc, const char* const* argv);

}  // namespace rondo::cli
