// SPDX-License-Identifier: Apache-2.0
// error: (not a constant expression|not usable in a constant expression)
// A path is a literal: it is checked while compiling.
#include <rondo/web/app.hpp>

rondo::response front(rondo::request&);

void routes(rondo::app& app, const char* path) {
#ifdef CONTROL
    (void)path;
    app.get("/", front);
#else
    app.get(path, front);
#endif
}
