// SPDX-License-Identifier: Apache-2.0
// error: (not a constant expression|not usable in a constant expression)
// A path must be a literal: it is checked at compile time.
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
