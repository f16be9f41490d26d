// SPDX-License-Identifier: Apache-2.0
// error: a command must return the exit status
#include <rondo/web/app.hpp>

int seed() { return 0; }
void plant(rondo::command_arguments) {}

void commands(rondo::app& app) {
#ifdef CONTROL
    app.command("seed", "fills the table", seed);
#else
    app.command("seed", "fills the table", plant);
#endif
}
