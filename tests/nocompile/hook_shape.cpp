// SPDX-License-Identifier: Apache-2.0
// error: a hook takes no arguments
#include <rondo/web/app.hpp>

void open_it() {}
void open_that(int) {}

void routes(rondo::app& app) {
#ifdef CONTROL
    app.on_start(open_it);
#else
    app.on_start(open_that);
#endif
}
