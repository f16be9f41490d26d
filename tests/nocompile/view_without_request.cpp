// SPDX-License-Identifier: Apache-2.0
// error: a view takes `rondo::request&` first
#include <rondo/web/app.hpp>

rondo::response bare() { return rondo::text("bare"); }
rondo::response plain(rondo::request&) { return rondo::text("plain"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/plain", plain);
#else
    app.get("/plain", bare);
#endif
}
