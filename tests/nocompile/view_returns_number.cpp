// SPDX-License-Identifier: Apache-2.0
// error: a view must return rondo::response or text
#include <rondo/web/app.hpp>

const char* text(rondo::request&) { return "text"; }
int number(rondo::request&) { return 42; }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/", text);
#else
    app.get("/", number);
#endif
}
