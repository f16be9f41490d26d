// SPDX-License-Identifier: Apache-2.0
// error: it may block, as it has its own process
#include <rondo/web/app.hpp>

rondo::response compute(rondo::request&) { return rondo::text("done"); }
rondo::task<rondo::response> later(rondo::request&) { co_return rondo::text("done"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.post("/", rondo::isolated("x", [] { return &compute; }));
#else
    app.post("/", rondo::isolated("x", [] { return &later; }));
#endif
}
